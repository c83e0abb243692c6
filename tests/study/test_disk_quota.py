"""What a study writes stays within its bound, and what can be made again goes first."""

from pathlib import Path

import pytest

from autoft.errors import StudyError
from autoft.study.disk_quota import Disk, bytes_below

from .scripted import Clock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, size in {
        "study.db": 100,
        "checkpoints/best.safetensors": 200,
        "checkpoints/second.safetensors": 200,
        "data/rows.arrow": 100,
        "data/states-a.states": 300,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(bytes(size))
    return tmp_path


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


ALL = {"study.db", "best.safetensors", "second.safetensors", "rows.arrow", "states-a.states"}


@pytest.mark.parametrize(
    ("limit", "gone"),
    [
        (None, set()),
        (900, set()),
        (899, {"second.safetensors"}),
        (699, {"second.safetensors", "states-a.states"}),
        (400, {"second.safetensors", "states-a.states"}),
    ],
)
def test_what_can_be_made_again_goes_first(folder: Path, limit: int | None, gone: set[str]) -> None:
    Disk(folder, limit, Clock()).trim(lambda: ["checkpoints/second.safetensors"])
    assert left(folder) == ALL - gone
    assert limit is None or bytes_below(folder) <= limit


def test_what_is_still_too_much_is_an_error_that_names_both_sizes(folder: Path) -> None:
    with pytest.raises(StudyError, match=r"takes 400 bytes, more than resources\.disk \(399\)"):
        Disk(folder, 399, Clock()).trim(lambda: ["checkpoints/second.safetensors"])


def test_states_are_not_dropped_time_after_time(folder: Path) -> None:
    clock = Clock()
    disk = Disk(folder, 699, clock)
    disk.trim(lambda: ["checkpoints/second.safetensors"])
    (folder / "data/states-a.states").write_bytes(bytes(300))
    clock.now_s = 5.0
    with pytest.raises(StudyError, match=r"takes 700 bytes, more than resources\.disk \(699\)"):
        disk.trim(lambda: [])
    assert (folder / "data/states-a.states").exists()


def test_it_looks_now_and_then_only(folder: Path) -> None:
    clock = Clock()
    disk = Disk(folder, 1000, clock)
    disk.trim(lambda: [])
    (folder / "more").write_bytes(bytes(200))
    clock.now_s = 4.9
    disk.trim(lambda: ["checkpoints/second.safetensors"])
    assert left(folder) == ALL | {"more"}
    clock.now_s = 5.0
    disk.trim(lambda: ["checkpoints/second.safetensors"])
    assert left(folder) == ALL - {"second.safetensors"} | {"more"}
