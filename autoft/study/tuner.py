"""The Tuner of one session: what to run next, and what each trial's report means. Knows nothing of Ray.

Every method is called on one thread, by whatever runs the trials; tests call them directly.

A report and the decision on it are written together, as one attribute of the trial: whenever the process is
killed, the next session finds a measurement with its decision, or neither.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from autoft.errors import StudyError
from autoft.kernel.measurement import Measurement
from autoft.spec.space import Value
from autoft.spec.study import StudySpec
from autoft.study.assignment import Assignment
from autoft.study.budget import Budgets
from autoft.study.callback import Callback
from autoft.study.checkpoints import CheckpointRetention
from autoft.study.comparison import ranked
from autoft.study.curves import Curves
from autoft.study.disk_quota import Disk
from autoft.study.failure_streak import Failure, Failures
from autoft.study.lessons import read_lessons
from autoft.study.origin import DEFAULT, FIRST, LEARNED, ORIGIN_ATTR, SHALLOW
from autoft.study.planned import read_plan
from autoft.study.pruner import make_pruner
from autoft.study.records import (
    CRASHES_ATTR,
    END_ATTR,
    MEASUREMENT_ATTR,
    TRIAL_ATTR,
    measurement_note,
    measurement_notes,
    read_trials,
)
from autoft.study.requests import Requests
from autoft.study.reserve import reserved_s
from autoft.study.sampler import propose
from autoft.study.start import Params, read_start
from autoft.study.stop import Stop
from autoft.study.storage import leftovers
from autoft.study.suggest import fixed_to, queued_params, suggest
from autoft.study.trial_config import fine_tune_config, report_step, report_steps_of, trial_seed

STOPPED_REASON = "stopped by hand"


class Decision(Enum):
    """What becomes of a trial after a report."""

    CONTINUE = auto()
    STOP = auto()
    """It is COMPLETE, PRUNED or FAIL."""
    PAUSE = auto()
    """It stays RUNNING in the study, and a later attempt resumes it."""


@dataclass
class _Live:
    """A trial that a worker has now."""

    trial: Trial
    attempt: int
    decided: int
    """Measurements up to this index were decided on in an earlier attempt, and are not decided on again."""
    best: float | None
    checkpoint: str | None
    """The file of that measurement's model."""
    reported_s: float
    """When it last reported anything."""
    measured_s: float
    """When it was last measured, or handed to a worker."""


class Tuner:
    """Hands out trials, writes their reports into the study, then calls the callbacks.

    Args:
        study: from `open_study`.
        spec: the request.
        precision: decided before the first trial of the study.
        callbacks: called after each write.
        folder: the study's folder.
        max_concurrent: trials at the same time; may be changed at any time.
        gpus_per_trial: for `budget.gpu_hours`.
        began_s: on that clock, when the session began, for `budget.time`; None is now.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        study: optuna.Study,
        spec: StudySpec,
        *,
        precision: Literal["fp32", "bf16"],
        callbacks: Sequence[Callback],
        folder: Path,
        max_concurrent: int,
        gpus_per_trial: float = 0.0,
        began_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.study, self.spec, self.precision, self.callbacks = study, spec, precision, callbacks
        self.folder, self.max_concurrent, self._clock = folder, max_concurrent, clock
        self._report_steps = report_steps_of(spec)
        self._maximize = spec.metric.direction == "maximize"
        self._curves = Curves(self._report_steps, maximize=self._maximize)
        self._pruner = make_pruner(spec.search, self._curves, spec.space.ends("warmup_ratio")[1])
        self._start, self._lessons = read_start(study), read_lessons(study)
        self._plan = read_plan(study)
        self._live: dict[int, _Live] = {}
        self._kept: set[int] = set()
        self._any_fits = False
        self._failures = Failures(spec.study, spec.faults)
        self._requests = Requests(study, clock)
        self._budgets = Budgets(study, spec.budget, gpus_per_trial, clock, began_s)
        self.stopped = False
        """Whether the session was asked to stop, so that running trials are kept at their next report."""
        self.stopped_by: StudyError | None = None
        """The error that stopped the session, if one did."""
        disk = Disk(folder, spec.resources.disk, clock)
        self._checkpoints = CheckpointRetention(
            folder, spec.checkpoints.keep, maximize=self._maximize, disk=disk
        )
        for trial in ranked(read_trials(study), self._curves.direction):
            self._checkpoints.add(trial.number, trial.score or 0.0, trial.checkpoint)
        self._reserve()
        self._interrupted = leftovers(study)
        for interrupted in self._interrupted[:]:
            self._end_if_decided(interrupted)

    def stop(self, error: StudyError | None = None) -> None:
        """Starts no more trials, and keeps the running ones at their next report."""
        self.stopped = True
        self.stopped_by = self.stopped_by or error

    @property
    def over(self) -> bool:
        """Whether no more trials will start in this session, unless a running one is lost."""
        return self._winding_down or len(self._live) + len(self._kept) >= self._budgets.trials_left

    @property
    def idle(self) -> bool:
        """Whether nothing runs."""
        return not self._live

    @property
    def _winding_down(self) -> bool:
        if self._failures.gave_up is not None:
            self.stop(self._failures.gave_up)
        if self._requests.stop:
            self.stop()
        return self.stopped or self._budgets.spent

    def next(self) -> Assignment | None:
        """The next trial to run, interrupted ones first. None if no slot is free, or at the end."""
        if self.over or len(self._live) >= self.max_concurrent:
            return None
        assignment = self._resume(self._interrupted.pop(0)) if self._interrupted else self._begin()
        for callback in self.callbacks:
            callback.started(assignment.number)
        return assignment

    def _begin(self) -> Assignment:
        return self._draw(self.study.ask())

    def _draw(self, trial: Trial) -> Assignment:
        """Gives a trial its parameters; if they are drawn again after a kill, they are the same."""
        search, space = self.spec.search, self.spec.space
        if self._plan:
            planned = self._plan[trial.number]
            return self._assign(trial, 1, dict(planned.values), planned.seed)
        others = partial(self._begun, without=trial.number)
        fixed = self._planned_start(trial, others) or queued_params(trial._cached_frozen_trial)
        params = propose(search, space, self._curves, others, trial.number, self._lessons, fixed)
        seed = trial_seed(search.seed, trial.number)
        self.study.sampler = fixed_to(params, seed)  # asked at the first suggestion
        return self._assign(trial, 1, space.resolve(suggest(trial, space)), seed)

    def _planned_start(self, trial: Trial, others: Callable[[], list[FrozenTrial]]) -> Params | None:
        """The next of what the study begins with; None if all were tried, or the trial was queued."""
        points = self._start.after_first if self._start else []
        if not points or trial.user_attrs.get(ORIGIN_ATTR) in (DEFAULT, FIRST):
            return None
        tried = sum(each.user_attrs.get(ORIGIN_ATTR) in (SHALLOW, LEARNED) for each in others())
        if tried == len(points):
            return None
        origin, params = points[tried]
        trial.set_user_attr(ORIGIN_ATTR, origin)
        return dict(params)

    def _begun(self, without: int) -> list[FrozenTrial]:
        """All trials except that one and those that wait."""
        trials = self.study.get_trials(deepcopy=False)
        return [each for each in trials if each.state != TrialState.WAITING and each.number != without]

    def _resume(self, interrupted: FrozenTrial) -> Assignment:
        trial = Trial(self.study, interrupted._trial_id)
        begun: dict[str, Any] | None = interrupted.user_attrs.get(TRIAL_ATTR)
        if begun is None:  # the process was killed while parameters were drawn
            return self._draw(trial)
        return self._assign(trial, int(begun["attempt"]) + 1, begun["values"], int(begun["seed"]))

    def _assign(self, trial: Trial, attempt: int, values: dict[str, Value], seed: int) -> Assignment:
        began = datetime.now(UTC).isoformat()
        begun = {"attempt": attempt, "seed": seed, "values": values, "began": began}
        trial.set_user_attr(TRIAL_ATTR, begun)
        live = self._live[trial.number] = self._reopen(trial, attempt)
        ends_at = self._plan[trial.number].ends_at if self._plan else 0.0
        config = fine_tune_config(self.spec, values, seed, self.precision, ends_at)
        return Assignment(trial.number, attempt, live.decided, config, _crashes_of(live).get("micro_batch"))

    def _reopen(self, trial: Trial, attempt: int) -> _Live:
        notes = measurement_notes(trial._cached_frozen_trial)
        now_s = self._clock()
        return _Live(trial, attempt, len(notes), *self._best_of(notes), now_s, now_s)

    def _best_of(self, notes: Sequence[dict[str, Any]]) -> tuple[float | None, str | None]:
        """The best value in the notes, and the file of that measurement's model."""
        values = [self._value_of(note) for note in notes]
        best = (max if self._maximize else min)(filter(math.isfinite, values), default=None)
        return best, next((note["checkpoint"] for note in reversed(notes) if note["checkpoint"]), None)

    def _value_of(self, note: dict[str, Any]) -> float:
        return float(note["metrics"].get(self.spec.objective, math.nan))

    def _end_if_decided(self, trial: FrozenTrial) -> None:
        """Ends a trial whose last report was written before a kill, but not its state."""
        notes = measurement_notes(trial)
        failed = END_ATTR in trial.user_attrs
        broken = bool(notes) and not math.isfinite(self._value_of(notes[-1]))
        if not (failed or broken or (notes and (notes[-1]["stop"] or notes[-1]["last"]))):
            return
        self._interrupted.remove(trial)
        attempt = int(trial.user_attrs[TRIAL_ATTR]["attempt"])
        live = self._live[trial.number] = self._reopen(Trial(self.study, trial._trial_id), attempt)
        if failed:
            self._end(trial.number, TrialState[trial.user_attrs[END_ATTR]["state"]])
        elif broken:
            self._fail_as_broken(trial.number, live, notes[-1]["step"], self._value_of(notes[-1]), None)
        elif notes[-1]["stop"]:
            self._end(trial.number, TrialState.PRUNED)
        else:
            self._end(trial.number, TrialState.COMPLETE, live.best)

    def heartbeat(self, number: int, attempt: int) -> Decision:
        """Notes that the trial's worker is at work."""
        live = self._of(number, attempt)
        if live is None:
            return Decision.STOP
        live.reported_s = self._clock()
        if self._requests.stops(number):
            return self._end_by_hand(number, live)
        # A spent budget lets trials reach their next measurement; a request to stop does not.
        return self._keep(number) if self._winding_down and self.stopped else Decision.CONTINUE

    def measured(self, number: int, attempt: int, measurement: Measurement, node: str) -> Decision:
        """Writes a measurement and the decision on the trial.

        The last measurement is written like any other, but there is nothing left to prune.
        """
        live = self._of(number, attempt)
        if live is None:
            return Decision.STOP
        live.reported_s = live.measured_s = self._clock()
        self._any_fits = True
        value = float(measurement.metrics.get(self.spec.objective, math.nan))
        reported_step = report_step(measurement.fraction, self._report_steps)
        seen = live.trial._cached_frozen_trial
        seen.intermediate_values[reported_step] = value
        # The default is what the winner is compared with, so it runs to its end.
        is_default = seen.user_attrs.get(ORIGIN_ATTR) == DEFAULT
        judged = not measurement.last and measurement.index > live.decided and not is_default
        stop = None
        if judged and self._pruner.judges_at(reported_step):
            stop = self._pruner.judge([*self._begun(without=number), seen], seen)
        # Unlike Optuna's `Trial.report`, which keeps a step's first value, this keeps the latest one.
        live.trial.storage.set_trial_intermediate_value(seen._trial_id, reported_step, value)
        note = measurement_note(live.attempt, measurement, node, stop=stop, gpus=self._budgets.gpus_per_trial)
        live.trial.set_user_attr(MEASUREMENT_ATTR.format(index=measurement.index), note)
        self._budgets.spend(number, measurement.elapsed_s)
        self._bound_disk()
        for callback in self.callbacks:
            callback.measured(number, measurement)
        return self._decide(number, live, measurement, value, stop=stop, node=node)

    def _decide(
        self,
        number: int,
        live: _Live,
        measurement: Measurement,
        value: float,
        *,
        stop: Stop | None,
        node: str,
    ) -> Decision:
        if not math.isfinite(value):
            return self._fail_as_broken(number, live, measurement.step, value, node)
        # From all notes, because an attempt that starts over overwrites those of the one before.
        live.best, live.checkpoint = self._best_of(measurement_notes(live.trial._cached_frozen_trial))
        if stop:
            self._failures.forget()
            return self._end(number, TrialState.PRUNED)
        if measurement.last:
            return Decision.CONTINUE
        if self._requests.stops(number):
            return self._end_by_hand(number, live)
        return self._keep(number) if self._winding_down else Decision.CONTINUE

    def _fail_as_broken(
        self, number: int, live: _Live, step: int, value: float, node: str | None
    ) -> Decision:
        reason = f"{self.spec.objective} is {value} at step {step}"
        return self.failed(number, live.attempt, Failure("error", reason, ""), node)

    def completed(self, number: int, attempt: int, node: str | None = None) -> Decision:
        """Ends a trial whose worker has finished it. A trial that has ended before is left as it is."""
        live = self._of(number, attempt)
        if live is None:
            return Decision.STOP
        if live.best is None:
            nothing = Failure("error", "the fine-tuning ended without a measurement", "")
            return self.failed(number, attempt, nothing, node)
        self._failures.forget()
        return self._end(number, TrialState.COMPLETE, live.best)

    def failed(self, number: int, attempt: int, failure: Failure, node: str | None = None) -> Decision:
        """Ends a trial that cannot continue. The search does, unless the disk is full: then it stops.

        Running out of memory is a violated constraint for the sampler, not a bad score. But if no trial of
        this session has fitted, another process may be using the memory, so it counts as a failure too. A
        trial that has ended before is left as it is.
        """
        live = self._of(number, attempt)
        if live is None:
            return Decision.STOP
        if failure.kind == "disk":
            fix = "Nothing is lost; make room, then run the same command again to continue"
            self.stop(StudyError(f"study {self.spec.study!r}: {failure.reason}. {fix}"))
            return self._keep(number)
        state = TrialState.FAIL
        if failure.kind == "memory":
            state = TrialState.PRUNED
            live.trial.set_constraint("memory", 1.0)
        if failure.kind == "memory" and self._any_fits:
            self._failures.forget()
        else:
            self._failures.count(failure)
        self._write_end(live, state, failure.reason, failure.traceback, node)
        return self._end(number, state)

    def lost(self, number: int, attempt: int, reason: str, *, with_node: bool = False) -> Decision:
        """Tries a trial whose worker process is gone again on another, up to `faults.retries` times.

        A trial that had not reported for `faults.trial_timeout` was ended by its watchdog; it fails, because
        it would hang again. If the whole node is gone, that is not the trial's fault and not counted. If a
        worker dies again without a measurement in between, the trial continues with half the rows at a time.
        """
        live = self._of(number, attempt)
        if live is None:
            return Decision.STOP
        timeout_s = self.spec.faults.trial_timeout_s
        if self._clock() - live.reported_s >= timeout_s and not with_node:
            hung = f"hung: no step in {timeout_s:g} s (faults.trial_timeout); its log shows where"
            return self.failed(number, attempt, Failure("error", hung, ""))
        measured = len(measurement_notes(live.trial._cached_frozen_trial))
        before = _crashes_of(live)
        # A trial that was measured since its last crash is not the cause of the crashes.
        crashes = (not with_node) + (before["count"] if before.get("measured") == measured else 0)
        if crashes > self.spec.faults.retries:
            tried = f"{reason}, {crashes} times" if crashes > 1 else reason
            return self.failed(number, attempt, Failure("error", tried, ""))
        note = {**before, "count": crashes, "measured": measured}
        if crashes > 1:
            note["micro_batch"] = self._half_the_rows(live)
        return self._again(live, note)

    def _half_the_rows(self, live: _Live) -> int:
        """Half of the last attempt's rows at a time, because a worker that dies again may lack memory.

        Ray does not say whether the system killed a process for lack of memory.
        """
        trial = live.trial._cached_frozen_trial
        reported = [note["micro_batch"] for note in measurement_notes(trial)[-1:]]
        batch_size = int(trial.user_attrs[TRIAL_ATTR]["values"]["batch_size"])
        known = [int(each) for each in (_crashes_of(live).get("micro_batch"), *reported) if each is not None]
        return max(1, min([batch_size, *known]) // 2)

    def _again(self, live: _Live, note: dict[str, Any]) -> Decision:
        """Puts the trial at the head of the queue."""
        wasted_gpu_s = note.get("wasted_gpu_s", 0.0) + self._waste(live)
        live.trial.set_user_attr(CRASHES_ATTR, {**note, "wasted_gpu_s": wasted_gpu_s})
        del self._live[live.trial.number]
        self._interrupted.insert(0, self.study._storage.get_trial(live.trial._trial_id))
        return Decision.PAUSE

    def all_lost(self, reason: str) -> None:
        """Calls `lost` for all running trials, because what runs them has broken down."""
        for number, live in list(self._live.items()):
            self.lost(number, live.attempt, reason)

    def _of(self, number: int, attempt: int) -> _Live | None:
        """The running trial; None if it has ended, or if the report is of an attempt that was given up."""
        live = self._live.get(number)
        return live if live is not None and live.attempt == attempt else None

    def _end_by_hand(self, number: int, live: _Live) -> Decision:
        """Ends a trial that a user stopped; PRUNED if it was measured, so that the sampler learns from it."""
        state = TrialState.FAIL if live.best is None else TrialState.PRUNED
        self._write_end(live, state, STOPPED_REASON, None, None)
        return self._end(number, state)

    def _write_end(
        self, live: _Live, state: TrialState, reason: str, traceback: str | None, node: str | None
    ) -> None:
        end = {"state": state.name, "reason": reason, "traceback": traceback, "node": node}
        live.trial.set_user_attr(END_ATTR, {**end, "wasted_gpu_s": self._waste(live)})

    def _waste(self, live: _Live) -> float:
        """GPU seconds since the last measurement, which led to none."""
        gpu_s = (self._clock() - live.measured_s) * self._budgets.gpus_per_trial
        self._budgets.waste(gpu_s)
        return gpu_s

    def _keep(self, number: int) -> Decision:
        self._kept.add(number)
        del self._live[number]
        return Decision.PAUSE

    def _end(self, number: int, state: TrialState, value: float | None = None) -> Decision:
        self.study.tell(number, value, state=state)
        live = self._live.pop(number)
        self._budgets.ended()
        if value is not None:
            self._checkpoints.add(number, value, live.checkpoint)
            self._reserve()
        self._checkpoints.delete_all_but_best(self._unfinished)
        for callback in self.callbacks:
            callback.finished(number)
        return Decision.STOP

    def _reserve(self) -> None:
        self._budgets.reserved_s = reserved_s(self.study, self.spec, self.max_concurrent)

    def sweep(self) -> None:
        """Deletes, at the end, what workers wrote while their trials were being ended."""
        self._checkpoints.delete_all_but_best(self._unfinished)

    @property
    def _unfinished(self) -> set[int]:
        """Trials that run or will be resumed."""
        return {*self._live, *self._kept, *(trial.number for trial in self._interrupted)}

    def _bound_disk(self) -> None:
        try:
            self._checkpoints.bound(self._unfinished)
        except StudyError as error:
            self.stop(error)


def _crashes_of(live: _Live) -> dict[str, Any]:
    """What is noted about the trial's processes that were lost."""
    noted: dict[str, Any] = live.trial._cached_frozen_trial.user_attrs.get(CRASHES_ATTR, {})
    return noted
