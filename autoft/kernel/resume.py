"""Which files a trial's place is kept in. Apart from `place`, so that to name them needs no torch."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Resume:
    """Which files hold a trial's place."""

    path: Path
    """Of this attempt; replaced at every measurement, and when the trial is closed between two."""
    earlier: tuple[Path, ...] = ()
    """Of earlier attempts, the last one first."""
    measured: int = 0
    """Measurements that the caller has from them; what a place holds beyond is given again."""
