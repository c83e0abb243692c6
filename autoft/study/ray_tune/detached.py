"""Ray's processes get no signals except from their driver, and none of them outlives it.

`timeout`, a terminal, Slurm and systemd send a signal to the whole group of the command, or to all that it
has started. Ray's processes would be gone before the search could save its resume states; so they start in
sessions of their own, with these signals blocked, which the workers that they start inherit.
"""

import gc
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

import psutil
import ray

from autoft.signals import STOPPING

DISCONNECTED_S = 0.5
"""How long Ray's client needs to disconnect; if it needs longer, the shutdown takes some seconds."""
GONE_WITHIN_S = 3.0
"""How long to wait for processes to be gone after SIGKILL."""
_detaching = False


def _detach() -> None:
    """Python calls this in a forked child, before it becomes one of Ray's processes."""
    if _detaching:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)


os.register_at_fork(after_in_child=_detach)


@contextmanager
def detached() -> Iterator[None]:
    """Detaches what Ray starts in the block; on Linux only, where the system ends it with its driver."""
    global _detaching
    _detaching = sys.platform == "linux"
    try:
        yield
    finally:
        _detaching = False


def _sessions(scratch: Path) -> set[int]:
    """Sessions of the Ray that was started here with the folder `scratch`; none if it joined a cluster."""
    found = set()
    for child in psutil.Process().children():
        with suppress(psutil.Error, OSError):
            if os.getsid(child.pid) == child.pid and any(str(scratch) in word for word in child.cmdline()):
                found.add(child.pid)
    return found


def shut_down(scratch: Path) -> None:
    """Disconnects from Ray and ends what was started with `scratch`.

    Ray would give each process a second to react to SIGTERM, which it blocks; none has anything to save.
    """
    own, over = _sessions(scratch), Event()
    Thread(target=_end_when_disconnected, args=(own, over), daemon=True).start()
    # A reference to an object of Ray that another thread collects during the shutdown ends the process.
    gc.collect()
    gc.disable()
    try:
        ray.shutdown()
    finally:
        ray.shutdown()  # does nothing, unless a signal came in between
        gc.enable()
        over.set()
        _end(own)


def _end_when_disconnected(own: set[int], over: Event) -> None:
    while ray.is_initialized() and not over.wait(0.01):
        pass
    if not over.wait(DISCONNECTED_S):
        _end(own)


def leave(scratch: Path) -> None:
    """Ends Ray without its client, which may hang, and deletes its folder."""
    _end(_sessions(scratch))
    shutil.rmtree(scratch, ignore_errors=True)


def _end(own: set[int]) -> None:
    """Kills all processes of these sessions, and waits until they are gone."""
    until_s = monotonic() + GONE_WITHIN_S
    while own and (left := _of(own)) and monotonic() < until_s:
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        sleep(0.05)


def _of(own: set[int]) -> list[psutil.Process]:
    """The processes of these sessions, without zombies."""
    found = []
    for pid in psutil.pids():
        with suppress(psutil.Error, OSError):
            if os.getsid(pid) in own and (each := psutil.Process(pid)).status() != psutil.STATUS_ZOMBIE:
                found.append(each)
    return found
