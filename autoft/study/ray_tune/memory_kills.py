"""Whether the kernel ended a process for want of memory.

To Ray, and so to us, such a process is gone like any other; the kernel's own count is the only sign.
"""

from pathlib import Path

VMSTAT = Path("/proc/vmstat")
"""Linux's counters since it was booted; other systems have none."""


class MemoryKills:
    """Tells each kill of this machine once, from now on.

    Those of other people's processes count too, and those on other nodes of a cluster do not: a crash is
    then met with fewer rows at a time where it need not be, or tried again as it was.
    """

    def __init__(self) -> None:
        self._told = _count()

    def tell(self) -> bool:
        """Whether there was one that has not been told yet."""
        happened = _count() > self._told
        self._told += happened
        return happened


def _count() -> int:
    try:
        lines = VMSTAT.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
