"""What runs in a worker process: one workbench, and the trial that it works on now."""

import faulthandler
import os
import platform
import sys
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

from autoft.collector import rare_collections
from autoft.errors import AutoftError
from autoft.kernel.measurement import Measurement
from autoft.kernel.resume import Resume
from autoft.study.assignment import Assignment
from autoft.study.failure_streak import Failure
from autoft.study.layout import checkpoint_name, log_name, resume_name
from autoft.study.ray_tune.capture import Capture
from autoft.study.ray_tune.messages import (
    ASSIGNMENT_KEY,
    REPORT_KEY,
    Report,
    Shared,
    WorkerError,
    WorkerFiles,
)
from autoft.study.ray_tune.process import give_way
from autoft.study.ray_tune.shipping import WorkerNode
from autoft.study.worker_interface import Workbench

with rare_collections():  # a worker imports this module when it unpickles what is in it
    from ray import cloudpickle, tune

LOG = 2
"""The descriptor of standard error, which leads to the trial's log."""


class ResidentTrainable(tune.Trainable):
    """Works on one trial after another (Ray's `reuse_actors`), and keeps the workbench between them.

    Nothing that can fail happens in `setup` or `reset_config`: Ray distinguishes a failure there from one in
    a trial's step, and a step's is the one that carries its reason to the driver.
    """

    def setup(self, config: dict[str, Any], shared: Shared | None = None) -> None:
        """Called once a process, with its first trial."""
        assert shared is not None  # tune.with_parameters gives it
        os.environ.update(shared.environment)
        give_way(shared.nice)
        self._shared = shared
        self._node = WorkerNode.of(shared)
        self._workbench: Workbench | None = None
        self._begin(config[ASSIGNMENT_KEY])

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begins the next trial in the same process; the last one is over, perhaps stopped early."""
        self._end()
        if not self._node.sees_driver:
            for path in self._checkpoint.parent.glob(f"trial-{self._assignment.number:04d}.*"):
                path.unlink(missing_ok=True)
        self._begin(new_config[ASSIGNMENT_KEY])
        return True

    def cleanup(self) -> None:
        """Called when the process is given back."""
        self._end()

    def step(self) -> dict[str, Any]:
        """Trains until the trial's next measurement, or for about a second."""
        try:
            faulthandler.dump_traceback_later(self._shared.timeout_s, exit=True, file=LOG)
            measurement = next(self._measurements)
        except StopIteration:
            return self._result(self._report(done=True))
        except (AutoftError, OSError) as error:
            return self._result(self._report(failure=Failure.of(error)))
        except Exception as error:
            report = self._report(failure=Failure.of(error))
            self._end()
            raise WorkerError(report) from None
        finally:
            faulthandler.cancel_dump_traceback_later()
        done = measurement is not None and measurement.last
        return self._result(self._report(measurement=measurement, done=done))

    def _begin(self, assignment: Assignment) -> None:
        self._assignment = assignment
        number, attempt = assignment.number, assignment.attempt
        study = self._node.scratch(self._shared.folder)
        self._checkpoint = study / checkpoint_name(number, attempt)
        self._checkpoint.parent.mkdir(parents=True, exist_ok=True)
        self._resume = Resume(
            study / resume_name(number, attempt),
            tuple(study / resume_name(number, earlier) for earlier in range(attempt - 1, 0, -1)),
            assignment.measured,
            assignment.micro_batch,
        )
        self._capture = Capture(study / log_name(number))
        if attempt > 1:
            print(f"The trial was interrupted: attempt {attempt}, with {assignment.measured} measurements.")
        if assignment.micro_batch:
            print(f"Memory was short: at most {assignment.micro_batch} rows at a time.")
        self._measurements = self._fine_tune()

    def _fine_tune(self) -> Generator[Measurement | None]:
        """Creates the workbench first, so that a failure to create it is the failure of this trial."""
        if self._workbench is None:
            with rare_collections():  # transformers is imported here
                self._workbench = cloudpickle.loads(self._shared.make_workbench)(self._node)
        yield from self._workbench.fine_tune(self._assignment.config, self._checkpoint, self._resume)

    def _end(self) -> None:
        measurements, self._measurements = self._measurements, _nothing()
        try:
            measurements.close()
        except OSError as error:  # it could not save its state; the last saved one remains
            with suppress(OSError):
                print(f"The trial's resume state was not saved: {error}", file=sys.stderr, flush=True)
        self._capture.close()
        if not self._node.sees_driver:
            self._capture.path.unlink(missing_ok=True)

    def _report(
        self, measurement: Measurement | None = None, failure: Failure | None = None, done: bool = False
    ) -> Report:
        done = done or failure is not None
        if failure is not None:
            with suppress(OSError):  # on a full disk
                print(failure.traceback, file=sys.stderr, flush=True)
        return Report(
            number=self._assignment.number,
            attempt=self._assignment.attempt,
            node=platform.node(),
            measurement=measurement,
            failure=failure,
            done=done,
            files=None if self._node.sees_driver else self._parcel(done and failure is None),
        )

    def _parcel(self, with_checkpoint: bool) -> WorkerFiles:
        """The files to send. The checkpoint may be an earlier attempt's, if this one found nothing better."""
        files, number = WorkerFiles(self._capture.news()), self._assignment.number
        for attempt in range(self._assignment.attempt, 0, -1) if with_checkpoint else ():
            path = self._checkpoint.with_name(Path(checkpoint_name(number, attempt)).name)
            if path.exists():
                files.checkpoint, files.attempt = path.read_bytes(), attempt
                break
        return files

    def _result(self, report: Report) -> dict[str, Any]:
        if report.done:
            self._end()
        return {REPORT_KEY: report, "done": report.done}


def _nothing() -> Generator[Measurement | None]:
    yield from ()
