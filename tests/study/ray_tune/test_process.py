"""What Ray changes in this process is as it was before, afterwards."""

import os
import signal

import pytest

from autoft.study.ray_tune.process import end_on_sigterm, environment, signal_handlers_kept


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
        end_on_sigterm()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
