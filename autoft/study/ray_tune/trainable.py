"""What lives in a worker process: one workbench, and the trial that it works on now."""

import os
import platform
import sys
import traceback
from collections.abc import Iterator
from typing import Any

from ray import cloudpickle, tune

from autoft.errors import AutoftError
from autoft.kernel.measurement import Measurement
from autoft.study.places import checkpoint_name, log_name
from autoft.study.ray_tune.capture import Capture
from autoft.study.ray_tune.messages import (
    ASSIGNMENT_KEY,
    REPORT_KEY,
    Failure,
    Parcel,
    Report,
    Shared,
    WorkerError,
)
from autoft.study.ray_tune.shipping import WorkerNode
from autoft.study.sitting import Assignment
from autoft.study.workbench import Workbench

LONGEST_REASON = 300
LONGEST_TRACEBACK = 20_000
"""Characters; the end of a traceback says most."""


class ResidentTrainable(tune.Trainable):
    """Works on one trial after another (Ray's `reuse_actors`), and keeps the workbench between them.

    Nothing that can fail happens in `setup` or `reset_config`: Ray tells a failure there from one in a
    trial's step, and a step's is the one that carries its reason to the driver.
    """

    def setup(self, config: dict[str, Any], shared: Shared | None = None) -> None:
        """Called once a process, with its first trial."""
        assert shared is not None  # tune.with_parameters gives it
        os.environ.update(shared.environment)
        self._shared = shared
        self._node = WorkerNode.of(shared)
        self._workbench: Workbench | None = None
        self._begin(config[ASSIGNMENT_KEY])

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """The next trial, in the same process; the last one may have been stopped half-way."""
        self._end()
        self._begin(new_config[ASSIGNMENT_KEY])
        return True

    def cleanup(self) -> None:
        """The process is given back."""
        self._end()

    def step(self) -> dict[str, Any]:
        """Goes on to the trial's next measurement."""
        try:
            measurement = next(self._measurements, None)
        except AutoftError as error:
            return self._result(self._report(failure=_failure(error)))
        except Exception as error:
            report = self._report(failure=_failure(error))
            self._end()
            raise WorkerError(report) from None
        return self._result(self._report(measurement=measurement))

    def _begin(self, assignment: Assignment) -> None:
        self._assignment = assignment
        study = self._node.scratch(self._shared.folder)
        self._checkpoint = study / checkpoint_name(assignment.number)
        self._checkpoint.parent.mkdir(parents=True, exist_ok=True)
        self._capture = Capture(study / log_name(assignment.number))
        if assignment.attempt > 1:
            print(f"The trial was interrupted and starts from the beginning (attempt {assignment.attempt}).")
        self._measurements = self._fine_tune()

    def _fine_tune(self) -> Iterator[Measurement]:
        """Begins with the workbench, so that a failure to make it is the failure of this trial."""
        if self._workbench is None:
            self._workbench = cloudpickle.loads(self._shared.make_workbench)(self._node)
        yield from self._workbench.fine_tune(self._assignment.config, self._checkpoint)

    def _end(self) -> None:
        measurements, self._measurements = self._measurements, iter(())
        if hasattr(measurements, "close"):
            measurements.close()
        self._capture.close()
        if not self._node.sees_driver:
            self._checkpoint.unlink(missing_ok=True)
            self._capture.path.unlink(missing_ok=True)

    def _report(self, measurement: Measurement | None = None, failure: Failure | None = None) -> Report:
        done = failure is not None or measurement is None or measurement.fraction >= 1
        if failure is not None:
            print(failure.traceback, file=sys.stderr)
        return Report(
            number=self._assignment.number,
            node=platform.node(),
            measurement=measurement,
            failure=failure,
            done=done,
            parcel=None if self._node.sees_driver else self._parcel(done and failure is None),
        )

    def _parcel(self, with_checkpoint: bool) -> Parcel:
        has_checkpoint = with_checkpoint and self._checkpoint.exists()
        return Parcel(self._capture.news(), self._checkpoint.read_bytes() if has_checkpoint else None)

    def _result(self, report: Report) -> dict[str, Any]:
        if report.done:
            self._end()
        return {REPORT_KEY: report, "done": report.done}


def _failure(error: Exception) -> Failure:
    name = "" if isinstance(error, AutoftError) else f"{type(error).__name__}: "
    first_line = (str(error).strip().splitlines() or ["no message"])[0]
    text = "".join(traceback.format_exception(error))
    return Failure((name + first_line)[:LONGEST_REASON], text[-LONGEST_TRACEBACK:])
