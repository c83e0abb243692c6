"""The request of a rehearsal's own study."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from autoft.spec.space import Value
from autoft.spec.study import Budget, Checkpoints, Faults, SearchMethod, StudySpec
from autoft.study.planned import PlannedTrial

LEARNING_RATE = 5e-5
"""A rate that is harmless for the few steps of a rehearsal."""


def rehearsed(
    spec: StudySpec, entries: Sequence[Mapping[str, Value]]
) -> tuple[StudySpec, list[PlannedTrial]]:
    """The request for a study, stored in SQLite in its folder, and the trials of which it consists.

    None of them is pruned, and none is tried again except with fewer rows at a time when memory is short.
    """
    usual = {**spec.space.resolve({}), "learning_rate": LEARNING_RATE}
    request = replace(
        spec,
        first=(),
        search=SearchMethod(sampler="random", pruner="none", start="random"),
        budget=Budget(trials=len(entries)),
        resources=replace(spec.resources, disk=None),
        faults=Faults(0, spec.faults.trial_timeout_s, len(entries) + 1),
        checkpoints=Checkpoints(keep=len(entries)),
    )
    return request, [PlannedTrial({**usual, **entry}, seed=0) for entry in entries]
