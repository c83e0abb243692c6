"""A workbench that does a few steps of a trial and measures what they take, for a rehearsal.

In a module of its own for the same reason as `build`: the worker imports it to unpickle it.
"""

import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from autoft.kernel.config import FineTuneConfig
from autoft.kernel.measurement import Measurement
from autoft.kernel.resume import Resume
from autoft.kernel.workbench import Workbench
from autoft.study.build import BuildWorkbench
from autoft.study.worker_interface import Node

STEPS = 3
"""Steps of a trial, with a measurement after each. The first one warms up."""
HOST_BYTES, GPU_BYTES = "peak_host_bytes", "peak_gpu_bytes"
CHECKPOINT_BYTES, RESUME_BYTES = "checkpoint_bytes", "resume_bytes"
"""What the last measurement holds besides its metrics: peak memory, and the size of what a trial writes."""


@dataclass(frozen=True)
class BuildRehearsalWorkbench:
    """Builds one in a worker process, around the workbench that a search would use."""

    build: BuildWorkbench

    def __call__(self, node: Node) -> "RehearsalWorkbench":
        """See `study.worker_interface.MakeWorkbench`."""
        return RehearsalWorkbench(self.build(node))


class RehearsalWorkbench:
    """A workbench whose trials end after `STEPS` steps."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    def fine_tune(
        self, config: FineTuneConfig, checkpoint: Path, resume: Resume
    ) -> Iterator[Measurement | None]:
        """See `study.worker_interface.Workbench`."""
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        # Enough epochs for the steps however few rows there are, and a measurement after every step.
        longer = replace(config, epochs=STEPS, measurements=sys.maxsize, early_stopping=0.0)
        trial = self._workbench.fine_tune(longer, checkpoint, resume)
        for measurement in trial:
            if measurement is None or measurement.index < STEPS:
                yield measurement
                continue
            trial.close()  # before its last measurement is handed on, so that its files are complete
            sizes = {**_peaks(), CHECKPOINT_BYTES: _size(checkpoint), RESUME_BYTES: _size(resume.path)}
            yield replace(measurement, fraction=1.0, last=True, metrics={**measurement.metrics, **sizes})
            return


def _peaks() -> dict[str, float]:
    """Peak bytes: of main memory since the process began, of its GPU since the trial began."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    gpu = torch.cuda.max_memory_reserved() if torch.cuda.is_available() else 0
    return {HOST_BYTES: float(peak if sys.platform == "darwin" else 1024 * peak), GPU_BYTES: float(gpu)}


def _size(path: Path) -> float:
    return float(path.stat().st_size) if path.exists() else 0.0
