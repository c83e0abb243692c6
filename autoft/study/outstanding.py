"""What a request asks for, its trials and what comes after them, and what of it is not there yet."""

from collections.abc import Sequence
from dataclasses import astuple

import optuna

from autoft.spec.study import StudySpec
from autoft.study.budget import unfinished
from autoft.study.comparison import refit_standing, standing, tested_standing, winner_of
from autoft.study.records import StudyInfo, TrialRecord


def is_confirmed(spec: StudySpec, info: StudyInfo, trials: Sequence[TrialRecord]) -> bool:
    """Whether a confirmation stands that is the one that was asked for."""
    stands = standing(info.confirmed, trials, info.direction)
    return (
        spec.confirm is not None
        and stands is not None
        and (stands.top, stands.seeds) == astuple(spec.confirm)
    )


def outstanding(spec: StudySpec, info: StudyInfo, trials: Sequence[TrialRecord]) -> str | None:
    """What has not ended of confirmation and refit, in a clause; None also while there is no winner."""
    if winner_of(trials, info.direction, info.confirmed) is None:
        return None
    if spec.confirm is not None and not is_confirmed(spec, info, trials):
        return "its confirmation has not ended"
    if spec.refit and refit_standing(info, trials) is None:
        return "its winner has not been trained again"
    return None


def left(study: optuna.Study, spec: StudySpec, info: StudyInfo, trials: Sequence[TrialRecord]) -> str | None:
    """All that has not ended, the verdict on the test rows included, in clauses; None if nothing is left."""
    so_far = unfinished(study, spec.budget)
    parts = [f"{so_far} have ended"] if so_far else []
    if after := outstanding(spec, info, trials):
        parts.append(after)
    if info.data.get("rows", {}).get("test") and tested_standing(info, trials) is None:
        parts.append("the test rows have not been asked")
    return "; ".join(parts) or None
