"""The request of a rehearsal's own study."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from autoft.spec.space import Choice, Parameter, Value
from autoft.spec.study import Budget, Checkpoints, Faults, SearchMethod, StudySpec

LEARNING_RATE = 5e-5
"""A rate that is harmless for the few steps of a rehearsal."""


def rehearsed(spec: StudySpec, entries: Sequence[Mapping[str, Value]]) -> StudySpec:
    """The request for the trials `entries`, stored in SQLite in its folder.

    None of them is pruned, and none is tried again except with fewer rows at a time when memory is short.
    """
    # Optuna queues no configuration twice; learning rates that hardly differ make them distinct.
    first = tuple(
        {**entry, "learning_rate": LEARNING_RATE * (1 + i / 1e3)} for i, entry in enumerate(entries)
    )
    names = list(first[0])
    return replace(
        spec,
        space=replace(
            spec.space,
            fixed={name: value for name, value in spec.space.fixed.items() if name not in names},
            parameters=tuple(
                Parameter(name, Choice(tuple(dict.fromkeys(entry[name] for entry in first))))
                for name in names
            ),
        ),
        first=first,
        search=SearchMethod(sampler="random", pruner="none", start="random"),
        budget=Budget(trials=len(first)),
        resources=replace(spec.resources, disk=None),
        faults=Faults(0, spec.faults.trial_timeout_s, len(first) + 1),
        checkpoints=Checkpoints(keep=len(first)),
    )
