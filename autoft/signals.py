"""The signals that ask this process to stop: SIGINT (Ctrl-C), SIGTERM, SIGHUP (the terminal closes).

The first one stops it in order, the second at once. The sender of SIGTERM or SIGHUP usually sends SIGKILL
later (Docker: after 10 s), so the search must finish before that. After Ctrl-C there is no deadline.
"""

import math
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from enum import Enum, auto

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LIMIT_S = 9.0
"""From SIGTERM or SIGHUP to the end of the process."""
END_S = 1.5
"""The part of LIMIT_S that Python needs to exit when everything is done."""
AT_ONCE_S = 5.0
"""From the second signal to the end of the process, which waits for Ray to end its processes."""
TOGETHER_S = 1.0
"""Signals within this time are one request: `timeout` and a closing terminal send two."""
GRACE_S = 20.0
"""How long trials may take to stop; one that loads a model or fills a cache notices late."""
SHORT_GRACE_S = 3.5
"""How long they may take after SIGTERM or SIGHUP; the rest of the time is for the winner."""
LOOKED_EVERY_S = 0.2
INTERRUPTED = 130
"""The exit status."""


class _Means(Enum):
    """What a signal asks for."""

    STOP = auto()
    THE_SAME = auto()
    AT_ONCE = auto()
    NOTHING_NEW = auto()


@dataclass
class _Requests:
    """The signals so far. Its method may interrupt itself: a signal can come during another one's handler."""

    first_s: float | None = None
    """When the first signal came; on the monotonic clock."""
    at_once: bool = False
    until_s: float = math.inf
    """When the process has to be over."""

    def take(self, number: int) -> _Means:
        """Notes a signal; returns what it means."""
        now_s = time.monotonic()
        if number != signal.SIGINT:
            self.until_s = min(self.until_s, now_s + LIMIT_S)
        if self.first_s is None:
            self.first_s = now_s
            return _Means.STOP
        if now_s - self.first_s < TOGETHER_S:
            return _Means.THE_SAME
        if self.at_once:
            return _Means.NOTHING_NEW
        self.at_once = True
        self.until_s = min(self.until_s, now_s + AT_ONCE_S)
        return _Means.AT_ONCE


@dataclass
class _State:
    requests: _Requests = field(default_factory=_Requests)
    stop: Callable[[], None] | None = None
    """Stops the running work in order; None if nothing runs."""
    leave: list[Callable[[], None]] = field(default_factory=list)
    """What to do before the process is ended from within."""
    number: int = signal.SIGINT
    """The last signal that was handled."""
    dropped: bool = False
    """Whether Python has dropped its KeyboardInterrupt, and it is to be sent again."""
    sent_again: bool = False


_state: _State | None = None
"""None outside of `handle_signals`."""


@contextmanager
def handle_signals(last_words: str | None = None) -> Iterator[None]:
    """Turns signals in the block into KeyboardInterrupts, except within `gently`; ignored ones stay ignored.

    With `last_words` the block owns the process: if it does not end in time, because a library hangs, say,
    the process prints them and is killed. Within another such block, and outside of the main thread, this
    does nothing.
    """
    global _state
    if _state is not None or not _in_main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in STOPPING}
    _state = _State()
    with nullcontext() if last_words is None else _watched(_state, last_words):
        handle_signals_again()
        try:
            yield
        finally:
            # A stopped process is about to end: another signal should not print a traceback.
            ending = last_words is not None and _state.requests.first_s is not None
            for number, handler in before.items():
                is_ignored = signal.getsignal(number) is signal.SIG_IGN
                signal.signal(number, signal.SIG_DFL if ending and not is_ignored else handler)
            _state = None


def handle_signals_again() -> None:
    """Installs the handlers again; to be called after a library may have set its own."""
    if _state is None or not _in_main_thread():
        return
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a job in a script's background
            signal.signal(number, _handle)
    look()


def look() -> None:
    """Raises the KeyboardInterrupt that Python dropped, as it does in a destructor or a callback from C."""
    if _state is not None and _state.requests.first_s is not None:
        raise KeyboardInterrupt


def left_s() -> float:
    """How long this process may still work; infinite if no SIGTERM or SIGHUP has come."""
    return math.inf if _state is None else _state.requests.until_s - time.monotonic() - END_S


@contextmanager
def gently(stop: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Makes the first signal in the block call `stop`, and a second one a KeyboardInterrupt.

    After GRACE_S, or SHORT_GRACE_S, the block is left as it is: trials that have not stopped by then keep
    what they have saved. If something else than a signal has stopped it, call the yielded function to begin
    that time.

    Raises:
        KeyboardInterrupt: a second signal, or one that came before.
    """
    with handle_signals(), alarm() as ring_in:
        if (state := _state) is None:  # signals reach the main thread only
            yield lambda: None
            return
        look()

        def begin_grace() -> None:
            ring_in(GRACE_S if left_s() == math.inf else SHORT_GRACE_S)

        def first() -> None:
            stop()
            begin_grace()

        state.stop = first
        try:
            yield begin_grace
        finally:
            state.stop = None


@contextmanager
def alarm() -> Iterator[Callable[[float], None]]:
    """Yields a function that sets the seconds after which the block is left; the earliest time counts.

    An infinite time sets no alarm, and outside of the main thread there is none.
    """
    if not _in_main_thread():
        yield lambda after_s: None
        return
    before = signal.getsignal(signal.SIGALRM)
    rings_s, rang = math.inf, False

    def ring(number: int, frame: object) -> None:
        nonlocal rang
        if rings_s < math.inf:
            rang = True
            raise KeyboardInterrupt  # Ray lets it through, as a new exception

    def ring_in(after_s: float) -> None:
        nonlocal rings_s
        if (at_s := time.monotonic() + after_s) < rings_s:
            rings_s = at_s
            # Repeatedly, because Python may drop what is raised.
            signal.setitimer(signal.ITIMER_REAL, max(after_s, 0.001), 1.0)

    signal.signal(signal.SIGALRM, ring)
    try:
        yield ring_in
    except KeyboardInterrupt:
        if not rang or (_state is not None and _state.requests.at_once):
            raise
    finally:
        rings_s = math.inf
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def on_leaving(action: Callable[[], None]) -> Iterator[None]:
    """Registers `action`, for the block, to be done before the process kills itself."""
    if (state := _state) is None:
        yield
        return
    state.leave.append(action)
    try:
        yield
    finally:
        state.leave.remove(action)


def _handle(number: int, frame: object) -> None:
    if (state := _state) is None:
        raise KeyboardInterrupt
    if state.sent_again:
        state.sent_again = False
        raise KeyboardInterrupt
    state.number, means = number, state.requests.take(number)
    if state.stop is not None and means in (_Means.STOP, _Means.THE_SAME):
        state.stop()  # again if SIGTERM comes together with Ctrl-C, for a shorter grace
    elif means in (_Means.STOP, _Means.AT_ONCE):
        raise KeyboardInterrupt


@contextmanager
def _watched(state: _State, last_words: str) -> Iterator[None]:
    """Runs a thread that notices signals even if the main thread cannot handle them.

    It sends a signal again if Python has dropped its KeyboardInterrupt, as it does in a destructor.
    """
    print_dropped = sys.unraisablehook

    def drop(what: "sys.UnraisableHookArgs") -> None:
        if isinstance(what.exc_value, KeyboardInterrupt):
            state.dropped = True
        else:
            print_dropped(what)

    sys.unraisablehook = drop
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    before = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    thread = threading.Thread(
        target=_watch, args=(read_end, state, last_words), name="autoft-signals", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        sys.unraisablehook = print_dropped
        signal.set_wakeup_fd(before)
        os.close(write_end)
        thread.join()
        os.close(read_end)


def _watch(read_end: int, state: _State, last_words: str) -> None:
    requests, main = _Requests(), threading.main_thread().ident or 0
    while time.monotonic() < requests.until_s:
        if state.dropped:
            state.dropped, state.sent_again = False, True
            signal.pthread_kill(main, state.number)
        if not select.select([read_end], [], [], LOOKED_EVERY_S)[0]:
            continue
        numbers = os.read(read_end, 64)
        if not numbers:
            return
        for number in numbers:
            if number in STOPPING:
                requests.take(number)
    with suppress(OSError):
        os.write(2, f"\n{last_words}\n".encode())
    for action in reversed(state.leave):
        with suppress(Exception):
            action()
    os._exit(INTERRUPTED)


def _in_main_thread() -> bool:
    """Whether this is the main thread, the only one in which Python allows signal handlers."""
    return threading.current_thread() is threading.main_thread()
