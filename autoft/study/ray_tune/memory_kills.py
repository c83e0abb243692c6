"""Whether the kernel has just ended a process for want of memory.

To Ray, and so to us, such a process is gone like any other; the kernel's own count is the only sign.
"""

import time
from collections.abc import Callable
from pathlib import Path

VMSTAT = Path("/proc/vmstat")
"""Linux's counters since it was booted; other systems have none."""
LOOKED_EVERY_S = 1.0
TOLD_FOR_S = 15.0
"""How long after it was seen a kill still explains a worker that is lost; Ray notices one within seconds."""


class MemoryKills:
    """Tells each kill of this machine once, and only soon after it.

    Those of other people's processes count too: a crash at the same time is then met with fewer rows.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._count, self._looked_s = _count() or 0, clock()
        self._seen_s: list[float] = []

    def look(self) -> None:
        """To be called often, so that it is known when a kill was."""
        if self._clock() - self._looked_s >= LOOKED_EVERY_S:
            self._look()

    def tell(self) -> bool:
        """Whether there was one just now that has not been told yet."""
        self._look()
        recent = [seen_s for seen_s in self._seen_s if self._clock() - seen_s <= TOLD_FOR_S]
        self._seen_s = recent[1:]
        return bool(recent)

    def _look(self) -> None:
        self._looked_s = self._clock()
        if (count := _count()) is not None:
            self._seen_s += [self._looked_s] * (count - self._count)
            self._count = count


def _count() -> int | None:
    """None where it cannot be read."""
    try:
        lines = VMSTAT.read_text().splitlines()
    except OSError:
        return None
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
