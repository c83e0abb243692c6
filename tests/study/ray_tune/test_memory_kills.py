"""The kernel's count of processes that it ended for want of memory."""

from pathlib import Path

import pytest

from autoft.study.ray_tune import memory_kills
from autoft.study.ray_tune.memory_kills import TOLD_FOR_S, MemoryKills

from ..scripted import Clock


@pytest.fixture
def counters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "vmstat"
    path.write_text("pgfault 9\noom_kill 3\ndrop_pagecache 0\n")
    monkeypatch.setattr(memory_kills, "VMSTAT", path)
    return path


def test_each_kill_is_told_once(counters: Path) -> None:
    kills = MemoryKills()
    assert not kills.tell()
    counters.write_text("pgfault 9\noom_kill 5\ndrop_pagecache 0\n")
    assert [kills.tell() for _ in range(3)] == [True, True, False]


def test_a_kill_of_long_ago_explains_nothing(counters: Path) -> None:
    clock = Clock()
    kills = MemoryKills(clock)
    counters.write_text("oom_kill 4\n")
    clock.now_s = 5.0
    kills.look()
    clock.now_s += TOLD_FOR_S + 1
    assert not kills.tell()
    counters.write_text("oom_kill 5\n")
    assert kills.tell()


def test_a_system_that_counts_none_tells_none(counters: Path) -> None:
    counters.unlink()
    assert not MemoryKills().tell()
