"""A study of a plain list of trials, decided before it begins: a rehearsal, or one trial on many seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import optuna

from autoft.spec.space import Value

PLAN_ATTR = "planned"
"""The study's attribute: its trials, in the order in which they run. Without it the sampler proposes them."""


@dataclass(frozen=True)
class PlannedTrial:
    """A trial that no sampler proposes."""

    values: Mapping[str, Value]
    """Of all hyperparameters."""
    seed: int


def write_plan(study: optuna.Study, trials: Sequence[PlannedTrial]) -> None:
    """Stores the trials that a new study consists of; its budget has to be as many."""
    study.set_user_attr(PLAN_ATTR, [asdict(trial) for trial in trials])


def read_plan(study: optuna.Study) -> tuple[PlannedTrial, ...]:
    """The trials that a study consists of; empty if its sampler proposes them."""
    stored: list[dict[str, Any]] = study.user_attrs.get(PLAN_ATTR, [])
    return tuple(PlannedTrial(**each) for each in stored)
