"""The strategies: peers as their documentation sets them up, and autoft's own study."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np
import optuna
from curves.configurations import BATCH_SIZES, DEPTHS, DROPOUT, EPOCHS, LEARNING_RATE, WEIGHT_DECAY
from curves.table import MEASUREMENTS, Values
from optuna.trial import FrozenTrial, TrialState

from autoft.kernel.measurement import Measurement
from autoft.spec.read import read_spec
from autoft.spec.study import StudySpec
from autoft.study import sampler
from autoft.study.comparison import winner_of
from autoft.study.curves import Curves
from autoft.study.identity import identity_of
from autoft.study.layout import make_folders
from autoft.study.lessons import Lesson, write_lessons
from autoft.study.records import IDENTITY_ATTR, TrialRecord, read_trial
from autoft.study.start import Start, queue_default, write_start
from autoft.study.storage import ID_ATTR
from autoft.study.tuner import Decision, Tuner

warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
optuna.logging.set_verbosity(optuna.logging.ERROR)


def suggest(trial: optuna.Trial) -> dict[str, Any]:
    """A configuration from the ranges that every strategy has."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", *LEARNING_RATE, log=True),
        "unfreeze_depth": trial.suggest_categorical("unfreeze_depth", DEPTHS),
        "dropout": trial.suggest_float("dropout", *DROPOUT),
        "weight_decay": trial.suggest_float("weight_decay", *WEIGHT_DECAY, log=True),
        "batch_size": trial.suggest_categorical("batch_size", BATCH_SIZES),
        "epochs": trial.suggest_int("epochs", *EPOCHS, log=True),
    }


def _highest(scores: Mapping[int, float]) -> int | None:
    """The trial with the best score, the earliest of equals."""
    return max(scores, key=lambda number: (scores[number], -number), default=None)


class Optuna:
    """A plain Optuna study: random or TPE, without pruning or with one of its pruners."""

    def __init__(
        self, sampler: optuna.samplers.BaseSampler, pruner: optuna.pruners.BasePruner, first: Sequence[Values]
    ):
        self.study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
        for values in first:
            self.study.enqueue_trial(dict(values))
        self.running: dict[int, optuna.Trial] = {}
        self.best: dict[int, float] = {}
        self.complete: dict[int, float] = {}

    def ask(self) -> tuple[int, Values, int]:
        """The next trial."""
        trial = self.study.ask()
        self.running[trial.number] = trial
        return trial.number, suggest(trial), 0

    def measured(self, number: int, index: int, value: float) -> bool:
        """Reported; told at the end with its best value, as PRUNED where the pruner stops it."""
        trial = self.running[number]
        self.best[number] = max(value, self.best.get(number, -np.inf))
        trial.report(value, index)
        if index == MEASUREMENTS:
            self.study.tell(trial, self.best[number])
            self.complete[number] = self.best[number]
            return False
        if trial.should_prune():
            self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return False
        return True

    def winner(self) -> int | None:
        """Optuna's best trial: a complete one."""
        return _highest(self.complete)


class RayAsha:
    """Random configurations under asynchronous halving, as Ray's documentation has it: grace 1, factor 4.

    A trial stops at a rung where it is below the best quarter of all that have come there (Ray's own rule, a
    percentile of the recorded values).
    """

    def __init__(self, seed: int, first: Sequence[Values], grace: int = 1, factor: int = 4):
        self.optuna = Optuna(optuna.samplers.RandomSampler(seed=seed), optuna.pruners.NopPruner(), first)
        self.rungs: dict[int, list[float]] = {}
        step = grace
        while step < MEASUREMENTS:
            self.rungs[step] = []
            step *= factor
        self.factor = factor
        self.best: dict[int, float] = {}

    def ask(self) -> tuple[int, Values, int]:
        """Random."""
        return self.optuna.ask()

    def measured(self, number: int, index: int, value: float) -> bool:
        """Stops below the cut of its rung."""
        self.best[number] = max(value, self.best.get(number, -np.inf))
        if index not in self.rungs:
            return True
        recorded = self.rungs[index]
        cut = np.nanpercentile(recorded, 100 * (1 - 1 / self.factor)) if recorded else None
        recorded.append(value)
        return cut is None or value >= cut

    def winner(self) -> int | None:
        """Ray's best trial is any."""
        return _highest(self.best)


class OneEpochThenBest:
    """Random configurations for their first epoch, then the best of them whole.

    An epoch ends at the first measurement at or after it.
    """

    def __init__(self, seed: int, first: Sequence[Values], tried: int = 40, kept: int = 8):
        self.optuna = Optuna(optuna.samplers.RandomSampler(seed=seed), optuna.pruners.NopPruner(), first)
        self.tried, self.kept = tried, kept
        self.values: dict[int, Values] = {}
        self.asked = 0
        """Of this round."""
        self.early: dict[int, float] = {}
        """Of this round, after their first epoch."""
        self.queue: list[int] | None = None
        self.best: dict[int, float] = {}

    def ask(self) -> tuple[int, Values, int] | None:
        """A new one, until all were tried; then the best go on."""
        if self.asked < self.tried:
            number, values, _ = self.optuna.ask()
            self.values[number] = values
            self.asked += 1
            return number, values, 0
        if len(self.early) < self.tried:
            return None
        if self.queue is None:
            self.queue = sorted(self.early, key=lambda number: -self.early[number])[: self.kept]
        if not self.queue:  # and again
            self.asked, self.early, self.queue = 0, {}, None
            return self.ask()
        number = self.queue.pop(0)
        return number, self.values[number], self._first_epoch(number)

    def measured(self, number: int, index: int, value: float) -> bool:
        """Stops after its first epoch."""
        self.best[number] = max(value, self.best.get(number, -np.inf))
        if index == self._first_epoch(number):
            self.early[number] = self.best[number]
        return index != self._first_epoch(number)

    def _first_epoch(self, number: int) -> int:
        """The measurement at the end of its first epoch."""
        return math.ceil(MEASUREMENTS / self.values[number]["epochs"])

    def winner(self) -> int | None:
        """Any."""
        return _highest(self.best)


def space(objective: str, trials: int, seed: int, search: dict[str, Any]) -> StudySpec:
    """The ranges of `suggest`, as a space.yaml asks for them."""

    def log(ends: tuple[float, float]) -> dict[str, Any]:
        return {"low": ends[0], "high": ends[1], "log": True}

    return read_spec(
        {
            "study": "simulated",
            "task": "text-classification",
            "model": "org/name",
            "data": {"inputs": "text", "target": "label"},
            "objective": objective,
            "space": {
                "learning_rate": log(LEARNING_RATE),
                "unfreeze_depth": list(DEPTHS),
                "dropout": {"low": DROPOUT[0], "high": DROPOUT[1]},
                "weight_decay": log(WEIGHT_DECAY),
                "batch_size": list(BATCH_SIZES),
                "epochs": log(EPOCHS),
            },
            "search": {"seed": seed, **search},
            "budget": {"trials": trials},
        },
        in_memory_data=True,
    )


def as_optuna_has_them(curves: Curves, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """In place of `sampler.evidence`: the trials as they are, so that Optuna ranks stopped ones last."""
    return [trial for trial in trials if trial.state != TrialState.FAIL]


class Autoft:
    """autoft's own study: its sampler, pruner and bookkeeping, on Optuna's storage in memory.

    `evidence` False: its sampler is given the trials `as_optuna_has_them`.
    """

    folder: ClassVar[Path]
    """For what a study writes; `main` sets it in every process."""

    def __init__(
        self,
        spec: StudySpec,
        start: Start | None,
        lessons: Sequence[Lesson],
        workers: int,
        clock: Callable[[], float],
        validation_rows: int,
        evidence: bool = True,
    ):
        self.evidence = evidence
        self.study = optuna.create_study(direction="maximize")
        make_folders(self.folder)
        self.study.set_user_attr(ID_ATTR, f"{spec.search.seed:032x}")
        self.study.set_user_attr(IDENTITY_ATTR, identity_of(spec, "simulated"))
        write_start(self.study, start)
        write_lessons(self.study, lessons)
        queue_default(self.study)
        self.objective, self.rows = spec.objective, validation_rows
        self.finished: list[TrialRecord] = []
        self.champion: int | None = None
        self.tuner = Tuner(
            self.study,
            spec,
            precision="fp32",
            callbacks=[],
            folder=self.folder,
            max_concurrent=workers,
            clock=clock,
        )

    def ask(self) -> tuple[int, Values, int] | None:
        """What the session hands out."""
        with nullcontext() if self.evidence else patch.object(sampler, "evidence", as_optuna_has_them):
            assignment = self.tuner.next()
        if assignment is None:
            return None
        config = assignment.config
        values = {name: getattr(config, name) for name in ("learning_rate", "unfreeze_depth", "dropout")}
        values |= {name: getattr(config, name) for name in ("weight_decay", "batch_size", "epochs")}
        return assignment.number, values, assignment.measured

    def measured(self, number: int, index: int, value: float) -> bool:
        """The session's decision."""
        share, error = index / MEASUREMENTS, np.sqrt(value * (1 - value) / self.rows)
        measurement = Measurement(
            index,
            share,
            index,
            share,
            {self.objective: value},
            float(index),
            error=float(error),
            last=index == MEASUREMENTS,
        )
        attempt = 1
        decision = self.tuner.measured(number, attempt, measurement, "node")
        if index == MEASUREMENTS:
            self.tuner.completed(number, attempt)
            self.finished.append(read_trial(self.study, number))
            champion = winner_of(self.finished, "maximize")
            self.champion = champion.number if champion else None
        return decision is Decision.CONTINUE

    def winner(self) -> int | None:
        """The champion of the study."""
        return self.champion
