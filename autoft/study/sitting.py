"""One sitting of a search: what to run next, and what each trial's end means. Knows nothing of Ray.

Every method is called on one thread, by whatever runs the trials; tests call them directly.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from autoft.errors import StudyError
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.measurement import Measurement
from autoft.spec.metrics import METRICS
from autoft.spec.study import StudySpec
from autoft.study.config import fine_tune_config, grid_of, report_step, trial_seed
from autoft.study.places import checkpoint_name
from autoft.study.records import (
    END_ATTR,
    MEASUREMENT_ATTR,
    TRIAL_ATTR,
    best_trials,
    measurement_note,
)
from autoft.study.sampler import make_sampler
from autoft.study.storage import leftovers, trials_left
from autoft.study.suggest import suggest
from autoft.study.watch import Watcher

SAME_FAILURES = 5
"""Failures in a row for one and the same reason after which the search gives up: the next would fail too."""


class GaveUp(StudyError):  # noqa: N818 - what the search did, not what the user did
    """Trial after trial failed for one reason, so the search stopped; what is finished stands."""


@dataclass(frozen=True)
class Assignment:
    """A trial for a worker."""

    number: int
    attempt: int
    """1, or more where a trial was interrupted and starts from the beginning."""
    config: FineTuneConfig


@dataclass
class _Live:
    """A trial that a worker has now."""

    trial: Trial
    attempt: int
    decided_step: int
    """Up to here an interrupted attempt was measured and went on: that is not decided a second time."""
    best: float | None = None


class Sitting:
    """Hands out trials and writes what they say into the study, then tells the watchers.

    Args:
        study: from `open_study`.
        spec: the request.
        precision: decided before the first trial of the study.
        watchers: told after each write.
        folder: the study's folder.
        max_concurrent: trials at the same time.
        clock: seconds, monotonic; for `budget.time`.
    """

    def __init__(
        self,
        study: optuna.Study,
        spec: StudySpec,
        *,
        precision: Literal["fp32", "bf16"],
        watchers: Sequence[Watcher],
        folder: Path,
        max_concurrent: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.study, self.spec, self.precision, self.watchers = study, spec, precision, watchers
        self.folder, self.max_concurrent, self._clock = folder, max_concurrent, clock
        self._began = clock()
        self._grid = grid_of(spec)
        self._maximize = METRICS[spec.objective].direction == "maximize"
        self._live: dict[int, _Live] = {}
        self._left = trials_left(study, spec.budget)
        self._interrupted = leftovers(study)
        best = best_trials(study, spec.checkpoints.keep)
        self._best = [self._rank(trial.score or 0.0, trial.number) for trial in best]
        self._last_reason, self._same_reasons = "", 0

    @property
    def gave_up(self) -> GaveUp | None:
        """Why no more trial is worth starting; None while there is hope."""
        if self._same_reasons < SAME_FAILURES:
            return None
        return GaveUp(
            f"study {self.spec.study!r}: {SAME_FAILURES} trials in a row failed for the same reason, so the "
            f"search stopped: {self._last_reason}"
        )

    @property
    def over(self) -> bool:
        """Whether no more trial will start in this sitting; those that run may finish."""
        time_s = self.spec.budget.time_s
        late = time_s is not None and self._clock() - self._began >= time_s
        return late or self.gave_up is not None or len(self._live) >= self._left

    def next(self) -> Assignment | None:
        """The next trial to run: an interrupted one first. None when all places are taken, or at the end."""
        if self.over or len(self._live) >= self.max_concurrent:
            return None
        assignment = self._begin(self._interrupted.pop(0) if self._interrupted else None)
        for watcher in self.watchers:
            watcher.started(assignment.number)
        return assignment

    def _begin(self, interrupted: FrozenTrial | None) -> Assignment:
        if interrupted is None:
            trial = self.study.ask()
            attempt, decided_step = 1, 0
        else:
            trial = Trial(self.study, interrupted._trial_id)
            attempt = int(interrupted.user_attrs.get(TRIAL_ATTR, {}).get("attempt", 0)) + 1
            decided_step = interrupted.last_step or 0
        self.study.sampler = make_sampler(self.spec.search, trial.number)  # asked at the first suggestion
        values = self.spec.space.resolve(suggest(trial, self.spec.space))
        seed = trial_seed(self.spec.search.seed, trial.number)
        began = datetime.now(UTC).isoformat()
        trial.set_user_attr(TRIAL_ATTR, {"attempt": attempt, "seed": seed, "values": values, "began": began})
        self._live[trial.number] = _Live(trial, attempt, decided_step)
        return Assignment(trial.number, attempt, fine_tune_config(self.spec, values, seed, self.precision))

    def measured(self, number: int, measurement: Measurement, node: str) -> bool:
        """Writes a measurement. True: the trial has ended by it (it is PRUNED or FAIL), stop the worker.

        The last measurement (fraction 1) is written like any other, but nothing is left to prune.
        """
        live = self._live[number]
        note = measurement_note(number, live.attempt, measurement, node)
        live.trial.set_user_attr(MEASUREMENT_ATTR.format(index=measurement.index), note)
        value = float(measurement.metrics.get(self.spec.objective, math.nan))
        step = report_step(measurement.fraction, self._grid)
        self._report(live.trial, step, value)
        for watcher in self.watchers:
            watcher.measured(number, measurement)
        if not math.isfinite(value):
            self.failed(number, f"{self.spec.objective} is {value} at step {measurement.step}", node=node)
            return True
        if live.best is None or (value > live.best if self._maximize else value < live.best):
            live.best = value
        if measurement.fraction >= 1 or step < live.decided_step or not self._should_prune(live.trial):
            return False
        self._last_reason, self._same_reasons = "", 0
        self._end(number, TrialState.PRUNED)
        return True

    def _report(self, trial: Trial, step: int, value: float) -> None:
        """Unlike `Trial.report`, which keeps a step's first value: that of a restarted trial counts."""
        trial.storage.set_trial_intermediate_value(trial._trial_id, step, value)
        trial._cached_frozen_trial.intermediate_values[step] = value

    def _should_prune(self, trial: Trial) -> bool:
        """Asks with Optuna's copy of the trial, to which we write all that is written to the storage."""
        return self.study.pruner.prune(self.study, trial._cached_frozen_trial)

    def completed(self, number: int, node: str | None = None) -> None:
        """The trial's worker came to its end. A trial that has ended before is left as it is."""
        live = self._live.get(number)
        if live is None:
            return
        if live.best is None:
            self.failed(number, "the fine-tuning ended without a measurement", node=node)
            return
        self._last_reason, self._same_reasons = "", 0
        self._end(number, TrialState.COMPLETE, live.best)

    def failed(self, number: int, reason: str, traceback: str | None = None, node: str | None = None) -> None:
        """The trial cannot go on; the search does. A trial that has ended before is left as it is."""
        live = self._live.get(number)
        if live is None:
            return
        live.trial.set_user_attr(END_ATTR, {"reason": reason, "traceback": traceback, "node": node})
        self._same_reasons = self._same_reasons + 1 if reason == self._last_reason else 1
        self._last_reason = reason
        self._end(number, TrialState.FAIL)

    def _end(self, number: int, state: TrialState, value: float | None = None) -> None:
        self.study.tell(number, value, state=state)
        del self._live[number]
        self._left -= 1
        if value is not None:
            self._best = sorted([*self._best, self._rank(value, number)])[: self.spec.checkpoints.keep]
        self._drop_lost_checkpoints()
        for watcher in self.watchers:
            watcher.finished(number)

    def _rank(self, score: float, number: int) -> tuple[float, int]:
        """Sorts the best first, and the earliest of equals."""
        return (-score if self._maximize else score, number)

    def _drop_lost_checkpoints(self) -> None:
        """Keeps those of the best trials (`checkpoints.keep`) and of running ones."""
        keep = {checkpoint_name(number) for number in (*self._live, *(number for _, number in self._best))}
        for path in self.folder.glob(checkpoint_name(0).replace("0000", "*")):
            if path.relative_to(self.folder).as_posix() not in keep:
                path.unlink(missing_ok=True)
