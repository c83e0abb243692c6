"""How much each searched parameter decides whether a trial is among the best, and how sure that is."""

import math
import warnings
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, create_trial

from autoft.study.likely_ends import likely_ends, measured_trials

FEWEST = 12
"""Measured trials; of fewer, chance decides what is important."""
QUANTILE = 0.25
"""What share of the trials is the best. Optuna's own 0.1 leaves two of 20."""
DRAWS = 40
LEVEL = 0.9
"""Of the intervals."""


@dataclass(frozen=True)
class Importance:
    """Of one parameter; all parameters of a study add up to 1."""

    name: str
    share: float
    low: float
    """Of the interval."""
    high: float


@dataclass(frozen=True)
class Importances:
    """Of all searched parameters, the most important first."""

    evaluator: str
    trials: int
    of: tuple[Importance, ...]


def importances(study: optuna.Study) -> Importances | None:
    """Which parameters decide; None of fewer than FEWEST measured trials or of a single parameter.

    Stopped trials count with the value that they would likely have had. By PED-ANOVA (arXiv 2304.10255; of
    parameters with conditions arXiv 2601.20800). The intervals are percentiles over random halves of the
    trials, which vary as samples with replacement do (McCarthy 1969, "Pseudo-replication: half samples").
    """
    ends = likely_ends(study)
    trials = [trial for trial in measured_trials(study) if trial.number in ends]
    if len(trials) < FEWEST or len({name for trial in trials for name in trial.params}) < 2:
        return None
    sign = 1 if study.direction == optuna.study.StudyDirection.MINIMIZE else -1
    values = [sign * ends[trial.number] for trial in trials]  # the evaluator takes less for better
    memory = optuna.create_study()
    memory.add_trials(
        create_trial(value=value, params=each.params, distributions=each.distributions)
        for each, value in zip(trials, values, strict=True)
    )
    random, everything = np.random.default_rng(0), np.arange(len(trials))
    found = _shares(memory, everything)
    halves = [random.choice(everything, size=len(trials) // 2, replace=False) for _ in range(DRAWS)]
    drawn = [_shares(memory, half) for half in halves]
    outside = 50 * (1 - LEVEL)
    of = []
    for name, share in sorted(found.items(), key=lambda each: -each[1]):
        low, high = np.percentile([each[name] for each in drawn], [outside, 100 - outside])
        of.append(Importance(name, share, min(float(low), share), max(float(high), share)))
    return Importances("PED-ANOVA", len(trials), tuple(of))


def _shares(memory: optuna.Study, numbers: np.ndarray) -> dict[str, float]:
    """Each parameter's share, from the trials of these numbers alone."""
    chosen = set(numbers.tolist())

    def value(trial: FrozenTrial) -> float:
        assert trial.value is not None
        return trial.value if trial.number in chosen else math.nan  # which leaves the trial out

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a half may hold one value of a parameter alone
        evaluator = PedAnovaImportanceEvaluator(target_quantile=QUANTILE)
        return get_param_importances(memory, evaluator=evaluator, target=value)
