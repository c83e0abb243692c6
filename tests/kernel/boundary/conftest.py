"""What tests of stored states share."""

from itertools import cycle

import pytest

from autoft.kernel.boundary import worth


@pytest.fixture
def reading_pays(monkeypatch):
    """What is kept does not depend on this machine's speed: to compute takes a second, to read nothing."""
    seconds = cycle((1.0, 0.0))
    monkeypatch.setattr(worth, "_fastest", lambda action, device, times=3: next(seconds))
