"""What Ray Tune asks on the driver, answered from the sitting.

Ray's own OptunaSearch is not used: it tells a trial that a scheduler stopped as COMPLETE with its truncated
score, and leaves one with a NaN running, so the sampler would learn from what is not so.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray import cloudpickle
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from autoft.data.files import replacing
from autoft.study.places import checkpoint_name, log_name
from autoft.study.ray_tune.messages import ASSIGNMENT_KEY, REPORT_KEY, Parcel, Report
from autoft.study.sitting import Sitting


class Desk:
    """Takes what Ray brings to the sitting, for searcher and scheduler together.

    Ray swallows or rewraps what is raised in its callbacks, so the first error of our own is kept here
    for `run` to raise, and the sitting winds down.
    """

    def __init__(self, sitting: Sitting, folder: Path) -> None:
        self.sitting = sitting
        self.error: Exception | None = None
        self._folder = folder

    @property
    def closed(self) -> bool:
        """No more trial is to start."""
        return self.error is not None or self.sitting.over

    def attempt(self, action: Callable[[], bool]) -> bool:
        """Does `action` unless something broke before; True also where it breaks."""
        if self.error is not None:
            return True
        try:
            return action()
        except Exception as error:
            self.error = error
            return True

    def take(self, report: Report) -> bool:
        """Writes a worker's report into the study. True: the trial has ended."""
        return self.attempt(lambda: self._take(report))

    def lost(self, number: int, error: BaseException | None) -> None:
        """A worker failed, or its process is gone."""
        report = getattr(getattr(error, "cause", None), "report", None) or getattr(error, "report", None)
        if isinstance(report, Report):
            self.take(report)
            return
        reason = "the worker process died (out of memory, killed or crashed); its log may say more"

        def fail() -> bool:
            self.sitting.failed(number, reason, str(error))
            return True

        self.attempt(fail)

    def _take(self, report: Report) -> bool:
        if report.parcel is not None:
            self._unpack(report.number, report.parcel)
        if report.failure is not None:
            self.sitting.failed(report.number, report.failure.reason, report.failure.traceback, report.node)
            return True
        if report.measurement is not None and self.sitting.measured(
            report.number, report.measurement, report.node
        ):
            return True
        if report.done:
            self.sitting.completed(report.number, report.node)
        return report.done

    def _unpack(self, number: int, parcel: Parcel) -> None:
        log, checkpoint = parcel.log, parcel.checkpoint
        parcel.log, parcel.checkpoint = b"", None
        if log:
            with (self._folder / log_name(number)).open("ab") as file:
                file.write(log)
        if checkpoint is not None:
            with replacing(self._folder / checkpoint_name(number)) as temporary:
                temporary.write_bytes(checkpoint)


class StudySearcher(Searcher):
    """Ray asks here for the next trial, and tells that one has come to its end."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def suggest(self, trial_id: str) -> Any:
        """The configuration of a Ray trial; None: not now; FINISHED: no more."""
        if self._desk.closed:
            return Searcher.FINISHED
        next_up = None

        def ask() -> bool:
            nonlocal next_up
            next_up = self._desk.sitting.next()
            return False

        if self._desk.attempt(ask):
            return Searcher.FINISHED
        return None if next_up is None else {ASSIGNMENT_KEY: next_up}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """The last report comes only here: Ray does not hand a result that is `done` to the scheduler.

        A trial that was stopped comes here too, with a report that has been taken; so does a failed one.
        """
        report = (result or {}).get(REPORT_KEY)
        if report is not None and report.done:
            self._desk.take(report)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the study is the record."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore."""


class StudyScheduler(FIFOScheduler):
    """Ray asks here whether a trial goes on."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Ray's
        self._desk = desk

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """STOP where the study has ended the trial."""
        ended = self._desk.take(result[REPORT_KEY])
        return TrialScheduler.STOP if ended else TrialScheduler.CONTINUE

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """A worker raised, or its process died. Ray has just written the error to a file of the trial."""
        self._desk.lost(trial.config[ASSIGNMENT_KEY].number, _error_of(trial))


def _error_of(trial: Any) -> BaseException | None:
    path = trial.pickled_error_file
    if path is None or not Path(path).exists():
        return None
    error: BaseException = cloudpickle.loads(Path(path).read_bytes())
    return error
