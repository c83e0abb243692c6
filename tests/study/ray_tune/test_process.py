"""What Ray changes in this process is as it was before, afterwards."""

import os
import signal
import time

import pytest

from autoft.study.ray_tune.process import environment, heed_interrupts, signal_handlers_kept, stops_gently


def test_environment_is_set_and_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOFT_A", "1")
    monkeypatch.delenv("AUTOFT_B", raising=False)
    with environment({"AUTOFT_A": None, "AUTOFT_B": "2"}):
        assert "AUTOFT_A" not in os.environ
        assert os.environ["AUTOFT_B"] == "2"
    assert os.environ["AUTOFT_A"] == "1"
    assert "AUTOFT_B" not in os.environ


def test_sigterm_is_an_interrupt_until_the_end_of_the_block() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with signal_handlers_kept():
        heed_interrupts()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


class Dropping:
    """Python prints what its destructor raises, and goes on."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_python_drops_is_heeded_before_the_first_trial() -> None:
    before = signal.getsignal(signal.SIGINT)
    stopped: list[bool] = []
    with signal_handlers_kept():
        heed_interrupts()
        Dropping()
        with pytest.raises(KeyboardInterrupt), stops_gently(lambda: stopped.append(True)):
            pytest.fail("it went on")
        with stops_gently(lambda: stopped.append(True)):
            signal.raise_signal(signal.SIGINT)
    assert stopped == [True]
    assert signal.getsignal(signal.SIGINT) is before


def test_the_grace_begins_also_where_something_else_has_stopped_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoft.study.ray_tune.process.GRACE_S", 0.2)
    began_s = time.monotonic()
    with stops_gently(lambda: pytest.fail("nobody pressed Ctrl-C")) as begin_grace:
        while time.monotonic() < began_s + 10:
            begin_grace()
            time.sleep(0.01)
    assert 0.2 <= time.monotonic() - began_s < 5
