"""Files that are written over: whole under their names, and never one that somebody else holds."""

import os
from pathlib import Path

import pytest

from autoft.kernel.spares import Spares, is_spare, remove_spares


def write(spares: Spares, path: Path, text: str) -> None:
    with spares.replacing(path) as temporary, temporary.open("r+") as file:
        file.write(text)
        file.truncate()


def spares_in(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if is_spare(path.name)]


def inode(path: Path) -> int:
    return path.stat().st_ino


def test_a_replaced_file_is_written_over_by_the_next_one(tmp_path: Path) -> None:
    spares, path = Spares(), tmp_path / "best"
    write(spares, path, "first and long")
    first = inode(path)
    write(spares, path, "second")
    assert inode(path) != first
    write(spares, path, "third")
    assert inode(path) == first
    assert path.read_text() == "third"


def test_a_deleted_file_serves_another_name_and_a_living_one_does_not(tmp_path: Path) -> None:
    spares = Spares()
    for name in ("place", "best"):
        write(spares, tmp_path / name, name)
    was = inode(tmp_path / "place")
    (tmp_path / "place").unlink()
    write(spares, tmp_path / "other", "o")
    write(spares, tmp_path / "more", "m")
    assert inode(tmp_path / "other") == was
    assert (tmp_path / "best").read_text() == "best"


def test_a_file_that_somebody_holds_by_another_name_is_left_alone(tmp_path: Path) -> None:
    spares, path = Spares(), tmp_path / "place"
    write(spares, path, "held")
    os.link(path, tmp_path / "holder")
    for text in ("next", "and next", "and one more"):
        write(spares, path, text)
    assert (tmp_path / "holder").read_text() == "held"
    assert path.read_text() == "and one more"


def test_a_file_that_another_process_wrote_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "best"
    others = Spares()
    write(others, path, "another's")
    with path.open() as held:
        spares = Spares()
        write(spares, path, "own")
        write(spares, path, "own again")
        assert held.read() == "another's"


def test_an_error_leaves_the_old_file_and_nothing_half(tmp_path: Path) -> None:
    spares, path = Spares(), tmp_path / "best"
    write(spares, path, "one")
    write(spares, path, "two")
    with pytest.raises(UnicodeEncodeError):
        write(spares, path, "hal" * 5000 + chr(0xD800))
    assert {each.read_text() for each in tmp_path.iterdir()} == {"two"}


def test_it_does_without_those_that_were_cleared_away(tmp_path: Path) -> None:
    spares, path = Spares(), tmp_path / "best"
    write(spares, path, "one")
    write(spares, path, "two")
    remove_spares(tmp_path)
    assert list(tmp_path.iterdir()) == [path]
    write(spares, path, "three")
    assert path.read_text() == "three"


def test_no_more_than_four_are_remembered_and_their_names_go_with_the_process(tmp_path: Path) -> None:
    spares = Spares()
    for name in "abcdef":
        write(spares, tmp_path / name, name)
    assert len(spares_in(tmp_path)) == 4
    del spares
    assert sorted(path.name for path in tmp_path.iterdir()) == list("abcdef")
