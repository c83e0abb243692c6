"""Which files an interrupted trial resumes from.

Apart from `resume_state`, so that importing it needs no torch.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Resume:
    """Which files hold a trial's resume state, and what to heed on the way."""

    path: Path
    """Of this attempt; replaced at every measurement, and when the trial is closed between two."""
    earlier: tuple[Path, ...] = ()
    """Of earlier attempts, the last one first."""
    measured: int = 0
    """Measurements that the caller has from them; what a state holds beyond is given again."""
    micro_batch: int | None = None
    """At most so many rows at a time; None is as many as fit."""
