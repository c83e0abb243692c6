import os
import signal
import subprocess
import sys

import pytest
import torch

from autoft.kernel.boundary import store

SHAPE = (50, 8)


def written(path, dtype=torch.float32):
    states = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1)).to(dtype)
    with store.writing(path, SHAPE, dtype) as target:
        target.copy_(states)
    return states


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_written_comes_back_bit_for_bit(tmp_path, dtype):
    states = written(tmp_path / "a.states", dtype)
    assert torch.equal(store.read(tmp_path / "a.states", SHAPE, dtype), states)
    assert [file.name for file in tmp_path.iterdir()] == ["a.states"]


def test_missing_cut_damaged_and_other_files_are_not_read(tmp_path):
    path = tmp_path / "a.states"
    assert store.read(path, SHAPE, torch.float32) is None
    written(path)
    good = path.read_bytes()
    assert store.read(path, (8, 50), torch.float32) is None
    assert store.read(path, (50, 16), torch.bfloat16) is None
    for bad in (good[:-1], good[: store.HEADER_BYTES], b"", good[:-5] + b"x" + good[-4:], b"x" + good[1:]):
        path.write_bytes(bad)
        assert store.read(path, SHAPE, torch.float32) is None


def test_an_error_while_filling_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="stop"), store.writing(tmp_path / "a", SHAPE, torch.float32):
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_is_an_error_before_anything_is_computed(tmp_path, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full_disk)
    with pytest.raises(OSError, match="No space left"), store.writing(tmp_path / "a", SHAPE, torch.float32):
        raise AssertionError("nothing may be computed")
    assert list(tmp_path.iterdir()) == []


def test_a_fill_that_is_killed_leaves_nothing_that_is_read(tmp_path):
    code = f"""
import os, signal
import torch
from pathlib import Path
from autoft.kernel.boundary import store
with store.writing(Path({str(tmp_path / "a.states")!r}), {SHAPE}, torch.float32) as target:
    target[:25] = 1
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert store.read(tmp_path / "a.states", SHAPE, torch.float32) is None
    states = written(tmp_path / "a.states")
    assert torch.equal(store.read(tmp_path / "a.states", SHAPE, torch.float32), states)
