"""Files that are written over: whole under their names, and never one that somebody else holds."""

import os
from pathlib import Path

import pytest

from autoft.kernel.spares import Spares, is_spare, remove_spares


def write(spares: Spares, path: Path, text: str) -> None:
    with spares.replacing(path) as temporary, temporary.open("r+") as file:
        file.write(text)
        file.truncate()


def files(folder: Path) -> dict[str, int]:
    return {"spare" if is_spare(path.name) else path.name: path.stat().st_ino for path in folder.iterdir()}


def test_the_old_file_is_written_over_by_the_next_one(tmp_path: Path) -> None:
    spares, path = Spares(), tmp_path / "best"
    write(spares, path, "first and long")
    assert files(tmp_path).keys() == {"best"}
    first = files(tmp_path)["best"]
    write(spares, path, "second")
    assert files(tmp_path)["spare"] == first != files(tmp_path)["best"]
    write(spares, path, "third")
    assert files(tmp_path)["best"] == first
    assert path.read_text() == "third"


def test_one_that_is_needed_no_more_serves_another_name(tmp_path: Path) -> None:
    spares = Spares()
    write(spares, tmp_path / "place", "a")
    was = files(tmp_path)["place"]
    spares.add(tmp_path / "place")
    spares.add(tmp_path / "never")
    assert files(tmp_path) == {"spare": was}
    write(spares, tmp_path / "other", "b")
    assert files(tmp_path) == {"other": was}


def test_a_file_with_a_second_name_is_left_alone(tmp_path: Path) -> None:
    spares, path = Spares(), tmp_path / "place"
    write(spares, path, "held")
    os.link(path, tmp_path / "holder")
    for text in ("next", "and next", "and one more"):
        write(spares, path, text)
    assert (tmp_path / "holder").read_text() == "held"
    assert path.read_text() == "and one more"


def test_a_file_that_another_process_wrote_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "best"
    write(Spares(), path, "another's")
    with path.open() as held:
        spares = Spares()
        write(spares, path, "own")
        write(spares, path, "own again")
        assert held.read() == "another's"
    spares.add(path)
    assert list(files(tmp_path)) == ["spare"]


def test_an_error_leaves_the_old_file_and_nothing_half(tmp_path: Path) -> None:
    spares, path = Spares(), tmp_path / "best"
    write(spares, path, "one")
    write(spares, path, "two")
    with pytest.raises(UnicodeEncodeError):
        write(spares, path, "hal" * 5000 + chr(0xD800))
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("best", "two")]


def test_it_does_without_those_that_were_cleared_away(tmp_path: Path) -> None:
    spares, path = Spares(), tmp_path / "best"
    write(spares, path, "one")
    write(spares, path, "two")
    remove_spares(tmp_path)
    assert files(tmp_path).keys() == {"best"}
    write(spares, path, "three")
    assert path.read_text() == "three"


def test_no_more_than_two_are_kept_and_they_go_with_the_process(tmp_path: Path) -> None:
    spares = Spares()
    for name in "abcd":
        write(spares, tmp_path / name, name)
        write(spares, tmp_path / name, name)
    for name in "abcd":
        spares.add(tmp_path / name)
    assert [is_spare(path.name) for path in tmp_path.iterdir()] == [True, True]
    del spares
    assert list(tmp_path.iterdir()) == []
