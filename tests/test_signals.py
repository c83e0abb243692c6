"""Signals to this very process, and to one of its own where it is to end."""

import math
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from autoft import signals
from autoft.signals import alarm, gently, handle_signals, left_s


@pytest.mark.parametrize("number", signals.STOPPING)
def test_a_signal_is_an_interrupt_in_the_block_and_what_it_was_before_afterwards(number):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), handle_signals():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_who_sends_sigterm_or_sighup_does_not_wait_for_long(monkeypatch):
    for number, limit_s in ((signal.SIGINT, math.inf), (signal.SIGTERM, 7.5), (signal.SIGHUP, 7.5)):
        with handle_signals():
            assert left_s() == math.inf
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
            assert left_s() == pytest.approx(limit_s, abs=0.5)  # 9 s without the 1.5 s to leave Python


def test_what_is_ignored_stays_ignored(monkeypatch):
    """As nohup does with SIGHUP, and a shell with SIGINT of what runs in the background of a script."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with handle_signals(), gently(lambda: pytest.fail("it was heeded")):
            signal.raise_signal(signal.SIGHUP)
            assert left_s() == math.inf
    finally:
        signal.signal(signal.SIGHUP, before)


class Dropping:
    """Python prints what its destructor raises, and goes on."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_python_drops_is_heeded_before_the_first_trial():
    with handle_signals():
        Dropping()
        with pytest.raises(KeyboardInterrupt), gently(lambda: None):
            pytest.fail("it went on")


def test_the_first_signal_stops_gently_its_twin_is_the_same_request_and_a_later_one_ends_at_once(monkeypatch):
    """`timeout` sends SIGTERM to its process and then to the group, in which that is too."""
    monkeypatch.setattr(signals, "TOGETHER_S", 0.3)
    stops = []
    with gently(lambda: stops.append(True)):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stops
        time.sleep(0.4)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_after_the_second_signal_no_further_one_disturbs_the_end(monkeypatch):
    monkeypatch.setattr(signals, "TOGETHER_S", 0.0)
    with handle_signals():
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert left_s() < signals.AT_ONCE_S


@pytest.mark.parametrize(("number", "grace"), [(signal.SIGINT, "GRACE_S"), (signal.SIGTERM, "SHORT_GRACE_S")])
def test_what_does_not_stop_is_left_at_the_end_of_the_grace(number, grace, monkeypatch):
    monkeypatch.setattr(signals, grace, 0.2)
    began_s = time.monotonic()
    with gently(lambda: None):
        signal.raise_signal(number)
        time.sleep(10)
    assert 0.2 <= time.monotonic() - began_s < 5


def test_the_grace_begins_also_where_something_else_has_stopped_it(monkeypatch):
    monkeypatch.setattr(signals, "GRACE_S", 0.2)
    began_s = time.monotonic()
    with gently(lambda: pytest.fail("nobody pressed Ctrl-C")) as begin_grace:
        while time.monotonic() < began_s + 10:
            begin_grace()
            time.sleep(0.01)
    assert 0.2 <= time.monotonic() - began_s < 5


def test_sigterm_after_ctrl_c_shortens_the_grace(monkeypatch):
    monkeypatch.setattr(signals, "SHORT_GRACE_S", 0.2)
    began_s = time.monotonic()
    with gently(lambda: None):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        time.sleep(10)
    assert time.monotonic() - began_s < 5


def test_an_alarm_rings_in_its_block_alone():
    with alarm() as ring_in:
        ring_in(math.inf)
        ring_in(0.05)
    time.sleep(0.1)
    rang = True
    with alarm() as ring_in:
        ring_in(0.05)
        time.sleep(5)
        rang = False
    assert rang


def test_another_thread_is_left_alone():
    done = []

    def search():
        with handle_signals(), gently(lambda: None) as begin_grace, alarm() as ring_in:
            begin_grace()
            ring_in(0.0)
            done.append(True)

    thread = threading.Thread(target=search)
    thread.start()
    thread.join()
    assert done


DROPS = """
import signal, time
from autoft import signals

class Dropping:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)

with signals.handle_signals("not over in time"):
    Dropping()
    try:
        time.sleep(30)
    except KeyboardInterrupt:
        print("heard again", round(signals.left_s()), end="")
"""


def test_an_interrupt_that_python_drops_in_a_process_of_its_own_comes_again_without_a_word():
    done = subprocess.run(
        [sys.executable, "-c", DROPS], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "heard again 7", "")


STUCK = """
import ctypes, signal
from autoft import signals
signals.LIMIT_S = 0.5
sweep = signals.on_leaving(lambda: print("swept", flush=True))
with signals.handle_signals("go on with: autoft search"), sweep:
    with signals.gently(lambda: None):
        signal.pthread_sigmask(signal.SIG_BLOCK, signals.STOPPING)  # of the main thread, which hears of none
        print("ready", flush=True)
        ctypes.CDLL(None).sleep(1000)
"""


ENDS = """
import signal
from autoft import signals
try:
    with signals.handle_signals("not over in time"):
        signal.raise_signal(signal.SIGTERM)
except KeyboardInterrupt:
    signal.raise_signal(signal.SIGINT)
"""


def test_a_signal_while_a_process_that_was_stopped_leaves_ends_it_without_a_traceback():
    done = subprocess.run(
        [sys.executable, "-c", ENDS], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_a_process_that_is_stuck_in_a_library_is_ended_with_its_last_words():
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    os.kill(process.pid, signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "swept\n", "\ngo on with: autoft search\n")
