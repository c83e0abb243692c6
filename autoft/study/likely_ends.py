"""What every measured trial of a stored study scores at its full budget, or is likely to."""

from collections.abc import Mapping

import optuna
from optuna.trial import FrozenTrial, TrialState

from autoft.study.curves import Curves, last_step


def measured_trials(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that were measured and did not fail, by number."""
    begun = study.get_trials(deepcopy=False)
    return [trial for trial in begun if trial.state != TrialState.FAIL and last_step(trial)]


def likely_ends(study: optuna.Study) -> Mapping[int, float]:
    """The objective of every measured trial at its full budget, by number (`Curves.at_full_budget`).

    The longest curve is taken to be a whole one, which needs no request.
    """
    trials = measured_trials(study)
    steps = max((last_step(trial) for trial in trials), default=1)
    curves = Curves(steps, maximize=study.direction == optuna.study.StudyDirection.MAXIMIZE)
    return {number: curves.value(end) for number, end in curves.at_full_budget(trials).items()}
