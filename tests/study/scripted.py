"""Requests and workbenches whose every number is written down here, so that tests know what must come out."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoft.kernel.config import FineTuneConfig
from autoft.kernel.measurement import Measurement
from autoft.kernel.resume import Resume
from autoft.spec.space import Choice, Condition, Parameter, Range, SearchSpace
from autoft.spec.study import (
    Budget,
    Checkpoints,
    DataSpec,
    Faults,
    ModelRef,
    Register,
    Resources,
    SearchMethod,
    StudySpec,
    Tracking,
)
from autoft.spec.tasks import TASKS
from autoft.study.trial_config import trial_seed
from autoft.study.worker_interface import Node

SEED = 7
DEFAULTS = {name: each.default for name, each in TASKS["text-classification"].hyperparameters.items()}
CONDITIONAL = (
    Parameter("unfreeze_depth", Choice((0, 1, 2, "all"))),
    Parameter("learning_rate", Range(1e-5, 1e-3, integer=False, log=True)),
    Parameter("dropout", Range(0, 0.4, integer=False), (Condition("unfreeze_depth", (0,), negated=True),)),
    Parameter(
        "weight_decay", Range(1e-4, 0.3, integer=False, log=True), (Condition("unfreeze_depth", ("all",)),)
    ),
)


def make_spec(
    trials: int = 4,
    parameters: Sequence[Parameter] = (
        Parameter("learning_rate", Range(1e-5, 1e-3, integer=False, log=True)),
    ),
    **changes: Any,
) -> StudySpec:
    """A request as the parser would give it; `changes` replace its fields."""
    searched = {parameter.name for parameter in parameters}
    fixed = {"model": "tiny", **changes.pop("fixed", {})}
    spec = StudySpec(
        study="study",
        task="text-classification",
        models=(ModelRef("tiny", "folder", "/models/tiny"),),
        data=DataSpec(inputs=("text",), target="label", path=Path("/rows.csv")),
        objective="macro_f1",
        space=SearchSpace(
            fixed={name: value for name, value in fixed.items() if name not in searched},
            parameters=tuple(parameters),
            defaults=DEFAULTS,
        ),
        first=(),
        search=SearchMethod(sampler="random", pruner="none", seed=SEED, start="random"),
        budget=Budget(trials=trials),
        resources=Resources(max_concurrent=1),
        faults=Faults(),
        checkpoints=Checkpoints(keep=1),
        tracking=Tracking(),
        register=Register("study"),
        text="study: study\n",
    )
    return replace(spec, **changes)


def measurement(index: int, of: int, value: float, **changes: Any) -> Measurement:
    """The `index`-th of `of` measurements of a trial of 10 steps between measurements."""
    made = Measurement(
        index=index,
        fraction=index / of,
        step=10 * index,
        epoch=index / 2,
        metrics={"macro_f1": value, "train_loss": 1 / index},
        elapsed_s=0.5 * index,
        last=index == of,
    )
    return replace(made, **changes)


class Die:
    """In a curve: the worker process ends here without a word."""


class ScriptedWorkbench:
    """Trial `n` measures `curves[n]`, and raises or dies where the curve holds an exception or `Die`.

    Writes `score` as the checkpoint whenever it improves. `before` runs before each measurement.
    """

    def __init__(
        self,
        curves: Mapping[int, Sequence[Any]] | Callable[[int], Sequence[Any]],
        before: Callable[[int, int], None] = lambda number, index: None,
    ) -> None:
        self._curve = curves if callable(curves) else curves.__getitem__
        self._before = before
        self._trials_here = 0

    def fine_tune(
        self, config: FineTuneConfig, checkpoint: Path, resume: Resume
    ) -> Iterator[Measurement | None]:
        """The script of the trial that has this seed, from the place that its last attempt left."""
        number = next(n for n in range(10_000) if trial_seed(SEED, n) == config.seed)
        self._trials_here += 1
        best = float("-inf")
        curve = self._curve(number)
        print(f"trial {number} is number {self._trials_here} of process {os.getpid()}")
        done = next((int(path.read_text()) for path in resume.earlier if path.exists()), 0)
        for index, value in enumerate(curve, start=1):
            if index <= done:
                improved, best = value > best, max(best, value)
                if index > resume.measured:
                    earlier = checkpoint.with_name(checkpoint.name.replace(".2.", ".1."))
                    yield measurement(index, len(curve), value, checkpoint=earlier if improved else None)
                continue
            self._before(number, index)
            yield None
            if isinstance(value, BaseException):
                raise value
            if isinstance(value, Die):
                sys.stdout.flush()
                os._exit(3)
            if value > best:
                best = value
                checkpoint.write_text(f"{value}")
            resume.path.write_text(f"{index}")
            yield measurement(index, len(curve), value, checkpoint=checkpoint if value == best else None)


class Once(ScriptedWorkbench):
    """The first attempt at a trial follows the script; a later one finds no faults in it."""

    def fine_tune(
        self, config: FineTuneConfig, checkpoint: Path, resume: Resume
    ) -> Iterator[Measurement | None]:
        if resume.earlier:
            whole = {n: [0.1 * k for k in range(1, 5)] for n in range(9)}
            yield from ScriptedWorkbench(whole).fine_tune(config, checkpoint, resume)
        else:
            yield from super().fine_tune(config, checkpoint, resume)


def workbench(
    curves: Mapping[int, Sequence[Any]] | Callable[[int], Sequence[Any]], **changes: Any
) -> Callable[[Node], ScriptedWorkbench]:
    """What `run` takes."""
    return lambda node: ScriptedWorkbench(curves, **changes)


class Diary:
    """A callback that writes down what it is told."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, int]] = []

    def started(self, number: int) -> None:
        self.entries.append(("started", number))

    def measured(self, number: int, measurement: Measurement) -> None:
        self.entries.append((f"measured {measurement.index}", number))

    def finished(self, number: int) -> None:
        self.entries.append(("finished", number))


class Clock:
    """Virtual time."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def sleep(seconds: float) -> Callable[[int, int], None]:
    """For `before`: each measurement takes this long."""
    return lambda number, index: time.sleep(seconds)
