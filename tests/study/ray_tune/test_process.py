"""What Ray changes in this process is as it was before, afterwards."""

import os
import signal

import pytest
import ray._private.utils
from ray._private import ray_constants

from autoft.study.ray_tune.process import (
    ENDS_AT_ONCE,
    environment,
    ray_constants_set,
    signal_handlers_kept,
    without_ray_sigterm,
)


def test_environment_is_set_and_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOFT_A", "1")
    monkeypatch.delenv("AUTOFT_B", raising=False)
    with environment({"AUTOFT_A": None, "AUTOFT_B": "2"}):
        assert "AUTOFT_A" not in os.environ
        assert os.environ["AUTOFT_B"] == "2"
    assert os.environ["AUTOFT_A"] == "1"
    assert "AUTOFT_B" not in os.environ


def test_constants_of_ray_exist_and_are_set_back() -> None:
    before = {name: getattr(ray_constants, name) for name in ENDS_AT_ONCE}
    with ray_constants_set(**ENDS_AT_ONCE):
        assert {name: getattr(ray_constants, name) for name in ENDS_AT_ONCE} == ENDS_AT_ONCE
    assert {name: getattr(ray_constants, name) for name in ENDS_AT_ONCE} == before


def test_a_handler_that_is_set_in_the_block_goes_with_it() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with signal_handlers_kept():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) is before


def test_ray_takes_no_sigterm_in_the_block() -> None:
    """By the function that `ray.init` calls for it, at two places."""
    before = signal.getsignal(signal.SIGTERM)
    with without_ray_sigterm():
        ray._private.utils.set_sigterm_handler(lambda number, frame: None)
        assert signal.getsignal(signal.SIGTERM) is before
    with signal_handlers_kept():
        ray._private.utils.set_sigterm_handler(lambda number, frame: None)
        assert signal.getsignal(signal.SIGTERM) is not before
