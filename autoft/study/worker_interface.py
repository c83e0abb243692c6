"""What the search needs from the layer that trains: a workbench, created once in each worker process."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from autoft.kernel.config import FineTuneConfig
from autoft.kernel.measurement import Measurement
from autoft.kernel.resume import Resume


class Workbench(Protocol):
    """Trains one trial after another, and stays in its worker process."""

    def fine_tune(
        self, config: FineTuneConfig, checkpoint: Path, resume: Resume
    ) -> Iterator[Measurement | None]:
        """Yields a measurement at every evaluation, up to the one that is `last`; closed early when pruned.

        Yields None now and then, so that it can be closed between two. Writes the trained tensors to the file
        `checkpoint` whenever the objective improves, and its resume state to `resume.path`; resumes from the
        first of `resume.earlier` that it can use.
        """


class Node(Protocol):
    """The machine that a worker runs on, which may not see the driver's disk."""

    def locate(self, path: Path) -> Path:
        """Where this node finds the driver's file or folder `path`, one of the `files` given to `run`."""

    def scratch(self, folder: Path) -> Path:
        """The driver's `folder` if this node sees the study's folder, else one of this node's own."""


MakeWorkbench = Callable[[Node], Workbench]
"""Runs in the worker; must be picklable by cloudpickle, and must not import torch before it is called."""
