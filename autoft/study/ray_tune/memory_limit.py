"""A worker's share of its machine's memory, so that what wants more fails instead of being killed for it.

A failure to allocate is met with smaller pieces of a batch. Left alone, the kernel kills a process when the
machine has nothing left, without a word of why: the next attempt would want as much again.
"""

import resource
from pathlib import Path

from ray._common.utils import get_system_memory

STATUS = Path("/proc/self/status")


def limit_memory(share: float) -> None:
    """From now on this process gets no more than `share` of the memory that this machine, or container, has.

    Linux counts what is reserved (RLIMIT_DATA), so what is reserved by now and not in use, such as stacks of
    threads, is allowed on top. On other systems nothing happens.
    """
    if not STATUS.exists():
        return
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines() if line.endswith(" kB"))
    reserved, used = (int(lines[name].split()[0]) * 1024 for name in ("VmData", "RssAnon"))
    most = int(share * get_system_memory()) + reserved - used
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
