"""Which files an interrupted trial resumes from.

Apart from `resume_state`, so that importing it needs no torch.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Resume:
    """The files of a trial's resume state, and how to resume."""

    path: Path
    """This attempt's file; replaced at every measurement, and when the trial is closed between two."""
    earlier: tuple[Path, ...] = ()
    """The files of earlier attempts, the last one first."""
    measured: int = 0
    """Measurements that the caller has from them; those that a state holds beyond are yielded again."""
    micro_batch: int | None = None
    """The most rows to compute at a time; None is as many as fit."""
