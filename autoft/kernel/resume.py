"""Which files a trial's place is kept in. Apart from `place`, so that to name them needs no torch."""

from dataclasses import dataclass
from pathlib import Path


class Ended(Exception):  # noqa: N818 - thrown into a trial, no error
    """Ends a trial for good where closing it would keep its place: nobody will go on with it."""


@dataclass(frozen=True)
class Resume:
    """Which files hold a trial's place."""

    path: Path
    """Of this attempt; replaced when the trial goes on behind a measurement, and when it is closed."""
    earlier: tuple[Path, ...] = ()
    """Of earlier attempts, the last one first."""
    measured: int = 0
    """Measurements that the caller has from them; what a place holds beyond is given again."""
