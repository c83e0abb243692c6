"""The kernel's count of processes that it ended for want of memory."""

from pathlib import Path

import pytest

from autoft.study.ray_tune import memory_kills
from autoft.study.ray_tune.memory_kills import MemoryKills


def test_each_kill_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counters = tmp_path / "vmstat"
    monkeypatch.setattr(memory_kills, "VMSTAT", counters)
    counters.write_text("pgfault 9\noom_kill 3\ndrop_pagecache 0\n")
    kills = MemoryKills()
    assert not kills.tell()
    counters.write_text("pgfault 9\noom_kill 5\ndrop_pagecache 0\n")
    assert [kills.tell() for _ in range(3)] == [True, True, False]


def test_a_system_that_counts_none_tells_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_kills, "VMSTAT", tmp_path / "none")
    assert not MemoryKills().tell()
