"""How much of a session's time is kept for what comes after the search: confirmation and refit."""

from collections.abc import Mapping, Sequence

import optuna

from autoft.spec.study import StudySpec
from autoft.study.comparison import candidates_of, refit_standing, winner_of
from autoft.study.outstanding import is_confirmed
from autoft.study.records import StudyInfo, TrialRecord, read_info, read_trials

MOST = 0.5
"""Of `budget.time`, so that short sessions search as well; the next one goes on with what is not done."""


def reserved_s(study: optuna.Study, spec: StudySpec, workers: int) -> float:
    """Seconds, by what the finished trials took that would be trained again now; 0 if none is finished.

    Args:
        study: the search's.
        spec: the request; without `confirm`, `refit` or `budget.time` nothing is kept.
        workers: trials at the same time.
    """
    if spec.budget.time_s is None or not (spec.confirm or spec.refit):
        return 0.0
    trials, info = read_trials(study), read_info(study)
    needed_s = _confirmation_s(spec, info, trials, workers) + _refit_s(spec, info, trials)
    return min(needed_s, MOST * spec.budget.time_s)


def _confirmation_s(spec: StudySpec, info: StudyInfo, trials: Sequence[TrialRecord], workers: int) -> float:
    """All replicas, though some may be dropped; and at the end of a round workers wait for its longest."""
    if spec.confirm is None or is_confirmed(spec, info, trials):
        return 0.0
    took_s = [_took_s(each) for each in candidates_of(trials, info.direction, spec.confirm.top)]
    return spec.confirm.seeds * sum(took_s) / workers + max(took_s, default=0.0)


def _refit_s(spec: StudySpec, info: StudyInfo, trials: Sequence[TrialRecord]) -> float:
    winner = winner_of(trials, info.direction, info.confirmed)
    if not spec.refit or winner is None or refit_standing(info, trials) is not None:
        return 0.0
    rows: Mapping[str, int] = info.data["rows"]
    return _took_s(winner) * (rows["train"] + rows["validation"]) / rows["train"]


def _took_s(trial: TrialRecord) -> float:
    """Of all attempts; or of the last one with the start of its worker, if that is more."""
    return max(trial.measurements[-1].elapsed_s, trial.duration_s or 0.0)
