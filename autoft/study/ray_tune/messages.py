"""What travels between driver and workers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoft.kernel.measurement import Measurement
from autoft.study.failure_streak import Failure

ASSIGNMENT_KEY = "assignment"
"""Where a Ray trial's configuration holds the `Assignment`."""
REPORT_KEY = "report"
"""Where a Ray result holds the `Report`."""


@dataclass
class WorkerFiles:
    """Files of a worker that cannot write to the driver's disk.

    Ray keeps a trial's last result to the end of the run, so the driver empties the files.
    """

    log: bytes = field(default=b"", repr=False)
    """What the trial printed since the last report."""
    checkpoint: bytes | None = field(default=None, repr=False)
    """Sent with the last report only: a trial that is stopped early needs none."""
    attempt: int = 0
    """The one that wrote the checkpoint."""


@dataclass(frozen=True)
class Report:
    """A worker's report on its trial; without measurement and failure it says that the worker is at work."""

    number: int
    attempt: int
    node: str
    """The worker's host name."""
    measurement: Measurement | None
    failure: Failure | None
    done: bool
    """Whether this is the last report."""
    files: WorkerFiles | None
    """None if the worker writes to the driver's disk itself."""


class WorkerError(Exception):
    """A trial failed in a way after which its process cannot be trusted, such as an error of the GPU.

    Raised in the worker; Ray gives up the process and hands the error to the driver.
    """

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        return self.report.failure.reason if self.report.failure else "unknown"


@dataclass(frozen=True)
class SharedFile:
    """A file or folder of the driver, for nodes that do not see it."""

    digest: str
    """`data.files.file_digest` of the file, or of the archive that holds the folder."""
    content: Any
    """A Ray object reference to the bytes of the file, or of a tar archive of the folder."""
    folder: bool


@dataclass(frozen=True)
class Shared:
    """What every worker process of a session is given once."""

    environment: Mapping[str, str] = field(repr=False)
    """May hold HF_TOKEN: this goes through Ray's object store, which is written into no log."""
    make_workbench: bytes = field(repr=False)
    """Pickled separately, because unpickling it imports libraries that read the environment."""
    folder: Path
    """The study's folder on the driver."""
    token: str
    """The content of a file in that folder: a node that can read it there sees the driver's disk."""
    files: Mapping[Path, SharedFile]
    timeout_s: float
    """A step that takes longer counts as hung."""
    nice: int
    """See `Resources.nice`."""
