"""A study of a plain list of trials, which no sampler proposes: a confirmation, or the winner once more."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import optuna

from autoft.spec.space import Value
from autoft.spec.study import Budget, Checkpoints, StudySpec

PLAN_ATTR = "planned"
"""The study's attribute: its trials, in the order in which they run. Without it the sampler proposes them."""


@dataclass(frozen=True)
class PlannedTrial:
    """A trial that no sampler proposes."""

    values: Mapping[str, Value]
    """Of all hyperparameters."""
    seed: int
    ends_at: float = 0.0
    """See `FineTuneConfig.ends_at`."""


def write_plan(study: optuna.Study, trials: Sequence[PlannedTrial]) -> None:
    """Stores the trials that a study consists of; its budget has to be as many."""
    study.set_user_attr(PLAN_ATTR, [asdict(trial) for trial in trials])


def read_plan(study: optuna.Study) -> tuple[PlannedTrial, ...]:
    """The trials that a study consists of; empty if its sampler proposes them."""
    stored: list[dict[str, Any]] = study.user_attrs.get(PLAN_ATTR, [])
    return tuple(PlannedTrial(**each) for each in stored)


def plan(begun: Sequence[PlannedTrial], needed: Sequence[PlannedTrial]) -> list[PlannedTrial]:
    """The trials of a study that needs others by now: those that have `begun`, then what it lacks.

    A trial that is needed twice is there twice.
    """
    spare, lacking = list(begun), list[PlannedTrial]()
    for each in needed:
        if each in spare:
            spare.remove(each)
        else:
            lacking.append(each)
    return [*begun, *lacking]


def planned_request(spec: StudySpec, name: str, trials: int) -> StudySpec:
    """The request for a study beside the search's: so many trials, whole, with all checkpoints.

    It is in the search's storage, and is published in its experiment. Its time is what the session has left;
    GPU hours bound the search alone.
    """
    method = replace(
        spec.search,
        sampler="random",
        sampler_options={},
        pruner="none",
        pruner_options={},
        start="random",
        learn_from=(),
    )
    return replace(
        spec,
        study=name,
        first=(),
        search=method,
        budget=Budget(trials, spec.budget.time_s),
        checkpoints=Checkpoints(keep=max(1, trials)),
        tracking=replace(spec.tracking, experiment=spec.tracking.experiment or spec.study),
        confirm=None,
        refit=False,
    )
