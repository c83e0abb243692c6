"""What Ray Tune asks on the driver, answered by the Tuner.

Ray's own OptunaSearch is not used: it reports a trial that a scheduler stopped as COMPLETE with its truncated
score, and leaves one with a NaN running, so the sampler would learn from wrong results.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ray import cloudpickle
from ray.exceptions import RayActorError, RayTaskError
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from autoft.data.files import replacing
from autoft.study.assignment import Assignment
from autoft.study.failure_streak import Failure
from autoft.study.layout import checkpoint_name, log_name
from autoft.study.ray_tune.messages import ASSIGNMENT_KEY, REPORT_KEY, Report, WorkerError, WorkerFiles
from autoft.study.tuner import Decision, Tuner

T = TypeVar("T")
COUNTED_EVERY_S = 2.0
NODE_DIED = "its node has died"
"""Ray's message for it, because there is no type."""
LOST = "the worker process died (out of memory, killed or crashed); its log may say more"


class TuneBridge:
    """Takes what Ray reports to the Tuner, for searcher and scheduler together.

    Ray swallows or rewraps what is raised in its callbacks, so the first error of our own is kept here
    for `run` to raise, and the Tuner winds down.
    """

    def __init__(self, tuner: Tuner, folder: Path) -> None:
        self.tuner = tuner
        self.error: Exception | None = None
        self._folder = folder

    @property
    def closed(self) -> bool:
        """Whether no more trials are to start, and none runs that could be lost."""
        return self.error is not None or (self.tuner.over and self.tuner.idle)

    def guard(self, action: Callable[[], T], otherwise: T) -> T:
        """Does `action`; returns `otherwise` if it fails, or without doing it after an earlier error."""
        if self.error is not None:
            return otherwise
        try:
            return action()
        except Exception as error:
            self.error = error
            return otherwise

    def take(self, report: Report) -> Decision:
        """Writes a worker's report into the study."""
        return self.guard(lambda: self._take(report), Decision.PAUSE)

    def lost(self, assignment: Assignment, error: BaseException | None) -> None:
        """Takes the error of a worker that failed or whose process is gone."""
        number, attempt, tuner = assignment.number, assignment.attempt, self.tuner
        cause = error.cause if isinstance(error, RayTaskError) else None
        if isinstance(cause, WorkerError):
            self.take(cause.report)
        elif failure := _failure_outside_a_step(error):
            self.guard(lambda: tuner.failed(number, attempt, failure), Decision.PAUSE)
        else:
            with_node = NODE_DIED in str(error)
            self.guard(lambda: tuner.lost(number, attempt, LOST, with_node=with_node), Decision.PAUSE)

    def _take(self, report: Report) -> Decision:
        number, attempt, tuner = report.number, report.attempt, self.tuner
        if report.files is not None:
            self._unpack(number, report.files)
        if report.failure is not None:
            return tuner.failed(number, attempt, report.failure, report.node)
        if report.measurement is not None:
            decision = tuner.measured(number, attempt, report.measurement, report.node)
        else:
            decision = Decision.CONTINUE if report.done else tuner.heartbeat(number, attempt)
        if decision is Decision.CONTINUE and report.done:
            return tuner.completed(number, attempt, report.node)
        return decision

    def _unpack(self, number: int, files: WorkerFiles) -> None:
        log, checkpoint = files.log, files.checkpoint
        files.log, files.checkpoint = b"", None
        if log:
            with (self._folder / log_name(number)).open("ab") as file:
                file.write(log)
        if checkpoint is not None:
            with replacing(self._folder / checkpoint_name(number, files.attempt)) as temporary:
                temporary.write_bytes(checkpoint)


class StudySearcher(Searcher):
    """Ray asks here for the next trial, and reports trials that have ended."""

    def __init__(self, bridge: TuneBridge, slots: Callable[[], int], begin_grace: Callable[[], None]) -> None:
        super().__init__()
        self._bridge, self._slots, self._begin_grace = bridge, slots, begin_grace
        self._counted_s = time.monotonic()

    def _count_slots(self) -> None:
        """Counts the slots now and then: Ray asks many times a second, and nodes seldom come and go."""
        if time.monotonic() - self._counted_s >= COUNTED_EVERY_S:
            self._bridge.tuner.max_concurrent = self._slots()
            self._counted_s = time.monotonic()

    def suggest(self, trial_id: str) -> Any:
        """The configuration of a Ray trial; None: not now; FINISHED: no more."""
        self._count_slots()
        next_up = self._bridge.guard(self._bridge.tuner.next, None)
        if self._bridge.tuner.stopped:
            self._begin_grace()
        if next_up is not None:
            return {ASSIGNMENT_KEY: next_up}
        return Searcher.FINISHED if self._bridge.closed else None

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """The last report comes only here: Ray does not hand a result that is `done` to the scheduler.

        A trial that was stopped comes here too, with a report that has been taken; so does a failed one.
        """
        report = (result or {}).get(REPORT_KEY)
        if report is not None and report.done:
            self._bridge.take(report)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the study is the record."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore."""


class StudyScheduler(FIFOScheduler):
    """Ray asks here whether a trial continues."""

    def __init__(self, bridge: TuneBridge) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Ray's
        self._bridge = bridge

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """The first waiting trial; None if none waits. Ray's own method looks at all trials ever run."""
        waiting = (trial for trial in tune_controller.get_live_trials() if trial.status == Trial.PENDING)
        return min(waiting, key=lambda trial: trial.config[ASSIGNMENT_KEY].number, default=None)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """STOP if the study has ended the trial, or keeps it for later."""
        continues = self._bridge.take(result[REPORT_KEY]) is Decision.CONTINUE
        return TrialScheduler.CONTINUE if continues else TrialScheduler.STOP

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """A worker raised, or its process died. Ray has just written the error to a file of the trial."""
        self._bridge.lost(trial.config[ASSIGNMENT_KEY], _error_of(trial))


def _failure_outside_a_step(error: BaseException | None) -> Failure | None:
    """A failure between two trials, on a full disk, say; or at the start, if a node lacks a package."""
    if isinstance(error, RayTaskError):
        return Failure.of(error.cause)
    if isinstance(error, RayActorError) and error.actor_init_failed:
        text = str(error).strip()
        return Failure("error", f"the worker cannot start: {text.splitlines()[-1]}", text)
    return None


def _error_of(trial: Any) -> BaseException | None:
    path = trial.pickled_error_file
    if path is None or not Path(path).exists():
        return None
    error: BaseException = cloudpickle.loads(Path(path).read_bytes())
    return error
