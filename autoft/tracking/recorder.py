"""Publishes a study to MLflow while it runs, without ever slowing it down.

The search says which trials have changed; one thread reads their records from the study and projects them. A
slow or dead server does not slow the search down: the thread tries again, and `close` names what could not be
written by the end. The study itself holds everything.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow.exceptions import MlflowException

from autoft.tracking import store
from autoft.tracking.projection import Projection

if TYPE_CHECKING:
    from autoft.kernel.measurement import Measurement
    from autoft.study.records import StudyInfo, TrialRecord

_LOG = logging.getLogger(__name__)
_REFUSALS = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")
"""Error codes of a server that will never accept this request."""


class Recorder:
    """A callback of the search (`study.callback.Callback`) that keeps MLflow up to date in the background.

    Its methods return at once, except `flush` and `close`, and never raise.
    """

    def __init__(
        self,
        uri: str | None,
        experiment: str,
        study_id: str,
        read_info: Callable[[], "StudyInfo"],
        read_trial: Callable[[int], "TrialRecord"],
        *,
        calm_s: float = 1.0,
        longest_pause_s: float = 60.0,
    ) -> None:
        """Starts the thread.

        `study_id` is unique to the study, also among studies of the same name. `read_info` and
        `read_trial` are called on the recorder's thread. Events within `calm_s` are projected together;
        a failing server is tried again after 1, 2, 4 seconds and so on up to `longest_pause_s`.
        """
        self._uri, self._experiment, self._study_id = store.resolve(uri), experiment, study_id
        self._read_info, self._read_trial = read_info, read_trial
        self._calm_s, self._longest_pause_s = calm_s, longest_pause_s
        self._changed = threading.Condition()
        self._dirty: set[int] = set()
        self._parent_is_dirty = True
        self._in_hand: set[int] | None = None
        self._arrived = 0
        self._hurry = self._closing = self._abandoned = False
        self._interrupted = False
        self._trouble: str | None = None
        self._refused: dict[int, str] = {}
        self._model_uri: str | None = None
        self._report: Path | None = None
        self._seen: dict[int, TrialRecord] = {}
        self._projection: Projection | None = None
        self._thread = threading.Thread(target=self._work, name="autoft-recorder", daemon=True)
        self._thread.start()

    def started(self, number: int) -> None:
        """Publishes that the trial runs."""
        self.catch_up([number])

    def measured(self, number: int, measurement: "Measurement") -> None:
        """Publishes a measurement of the trial."""
        self.catch_up([number])

    def finished(self, number: int) -> None:
        """Publishes the end of the trial."""
        self.catch_up([number])

    def catch_up(self, numbers: Iterable[int]) -> None:
        """Publishes these trials if they have changed, such as all trials of a continued study."""
        with self._changed:
            self._dirty.update(numbers)
            self._parent_is_dirty = True
            self._changed.notify_all()

    def registered(self, model_uri: str) -> None:
        """Notes that the winner's model is registered as `model_uri`, for the parent's description."""
        with self._changed:
            self._model_uri = model_uri
            self._parent_is_dirty = True
            self._changed.notify_all()

    def reported(self, report: Path) -> None:
        """Publishes the file as an artifact of the study's run."""
        with self._changed:
            self._report = report
            self._parent_is_dirty = True
            self._changed.notify_all()

    def flush(self, timeout_s: float, *, while_it_moves: bool = False) -> str | None:
        """Waits until everything so far is in MLflow, at most `timeout_s`; returns a warning if it is not.

        With `while_it_moves` the limit is the time between two trials that arrive.
        """
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            until = time.monotonic() + timeout_s
            while self._pending() and (left_s := until - time.monotonic()) > 0:
                arrived = self._arrived
                self._changed.wait(left_s)
                if while_it_moves and self._arrived > arrived:
                    until = time.monotonic() + timeout_s
            self._hurry = False
            return self._warning()

    def close(self, timeout_s: float = 60.0, *, interrupted: bool = False) -> str | None:
        """Writes what is left, for at most `timeout_s`, and ends; returns a warning about the rest.

        `interrupted` means that the budget is not met; the parent's run then says so. The recorder cannot be
        used afterwards.
        """
        with self._changed:
            self._interrupted |= interrupted
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()
            return self._warning()

    def _pending(self) -> bool:
        return bool(self._dirty or self._parent_is_dirty or self._in_hand is not None)

    def _warning(self) -> str | None:
        lost = sorted(self._dirty | (self._in_hand or set()) | set(self._refused))
        if not lost and not self._pending():
            return None
        reasons = {*self._refused.values(), *([self._trouble] if self._trouble else [])}
        what = f"the record of {_listed(lost)}" if lost else "the study's summary"
        return (
            f"MLflow at {store.redact(self._uri)} has not taken {what}: "
            f"{'; '.join(sorted(reasons)) or 'it does not answer in time'}. "
            "The study holds everything; run the same command again to publish it."
        )

    def _work(self) -> None:
        pause_s = 0.0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._dirty or self._parent_is_dirty or self._closing)
                if self._closing and not self._dirty and not self._parent_is_dirty:
                    break
                numbers, self._dirty = sorted(self._dirty), set()
                self._parent_is_dirty, self._in_hand = False, set(numbers)
            left = self._attempt(numbers)
            with self._changed:
                self._in_hand = None
                if left is not None:
                    self._dirty |= left
                    self._parent_is_dirty = True
                pause_s = 0.0 if left is None else min(max(1.0, 2 * pause_s), self._longest_pause_s)
                self._changed.notify_all()
                self._rest(pause_s)
                if self._abandoned:
                    return
        self._finish()

    def _rest(self, pause_s: float) -> None:
        """Waits between two rounds; less if a caller waits for the result and the server answers."""
        until = time.monotonic() + (pause_s or self._calm_s)
        while (left_s := until - time.monotonic()) > 0:
            in_a_hurry = self._hurry or self._closing
            if self._abandoned:
                return
            if in_a_hurry and not pause_s:
                return
            if in_a_hurry:
                left_s = min(left_s, 1.0)
                until = min(until, time.monotonic() + left_s)
            self._changed.wait(left_s)

    def _attempt(self, numbers: list[int]) -> set[int] | None:
        """Projects these trials and the parent; returns those to try again, None if all went well."""
        waiting = set(numbers)
        try:
            projection = self._open()
            for number in numbers:
                self._seen[number] = trial = self._read_trial(number)
                try:
                    projection.project(trial)
                    self._refused.pop(number, None)
                except MlflowException as error:
                    if error.error_code not in _REFUSALS:
                        raise
                    self._refused[number] = store.first_line(error)
                    _LOG.info("MLflow refuses trial %d: %s", number, store.redact(str(error)))
                waiting.discard(number)
                with self._changed:
                    self._arrived += 1
                    self._changed.notify_all()
            projection.info = self._read_info()  # a confirmation may have ended since
            projection.conclude([self._seen[number] for number in sorted(self._seen)], self._model_uri)
            if self._report is not None:
                projection.attach(self._report)
                self._report = None
        except (
            Exception
        ) as error:  # the network, the database, the disk: all of it passes or is reported by close
            self._projection = None  # a new one finds out what has arrived
            self._trouble = store.first_line(error)
            _LOG.info("MLflow did not take the record: %s", store.redact(str(error)))
            return waiting
        self._trouble = None
        return None

    def _open(self) -> Projection:
        if self._projection is None:
            client = store.connect(self._uri)
            experiment = store.experiment_id(client, self._experiment)
            self._projection = Projection.open(client, experiment, self._read_info(), self._study_id)
        return self._projection

    def _finish(self) -> None:
        try:
            self._open().end(self._interrupted)
        except Exception as error:  # the parent's final state is not essential
            _LOG.info("MLflow did not take the study's end: %s", store.redact(str(error)))


def _listed(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"trial {numbers[0]}"
    shown = ", ".join(str(number) for number in numbers[:10])
    return f"{len(numbers)} trials ({shown}{', ...' if len(numbers) > 10 else ''})"
