"""Places that a search has to write to and may not."""

import sys
import tempfile
from pathlib import Path

import pytest

from autoft import cli
from autoft.errors import StudyError
from autoft.spec.read import read_spec
from autoft.study.layout import study_folder
from autoft.study.writable import require_writable, written_by

from ..main_job import SPACE
from ..report.test_check import checked, no_ray_and_no_tracking, tiny_space  # noqa: F401
from ..rights import ordinary


def everything(folder):
    return sorted((str(path), path.stat().st_mode) for path in folder.rglob("*"))


def refused(*overrides):
    """What of all that a search writes to is refused: the place that is named, and the whole text."""
    found = []
    for path in written_by(read_spec(SPACE, overrides)):
        try:
            require_writable(path)
        except StudyError as error:
            found.append((Path(str(error).partition(":")[0]), str(error)))
    return found


@pytest.fixture
def forbidden(workdir):
    """Takes the right to write from a folder or file of the working directory, which it makes if need be."""
    changed = []

    def forbid(name, mode=0o555):
        path = workdir / name
        if not path.exists():
            path.mkdir(parents=True)
        path.chmod(mode)
        changed.append(path)
        return path

    with ordinary():
        yield forbid
    for path in changed:
        path.chmod(0o755)


FOLDERS = ["studies", "studies/quickstart", "studies/quickstart/data", "studies/quickstart/logs"]


@pytest.mark.parametrize("name", FOLDERS)
def test_each_folder_of_a_study_counts(forbidden, name):
    place = forbidden(name)
    assert [path for path, _ in refused()] == [place]


def test_check_tells_it_and_changes_nothing(forbidden, workdir):
    space = tiny_space(workdir, "bert")
    place = forbidden("studies")
    before = everything(workdir)
    good, said = checked(space=space)
    assert not good
    (problem,) = [line for line in said.splitlines() if "PROBLEM" in line]
    assert f"PROBLEM: {place}: Permission denied, but a search writes {place}/tiny:" in problem
    assert everything(workdir) == before


def test_search_says_it_in_one_line_before_anything_else(forbidden, workdir, monkeypatch, capsys):
    place = forbidden("studies")
    monkeypatch.setattr(sys, "argv", ["autoft", "search", str(SPACE)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (1, "")
    assert err == (
        f"autoft: {place}: Permission denied, but a search writes {place}/quickstart: give yourself the "
        "right to write there (chmod, chown), or search in another folder\n"
    )


def test_the_working_directory_counts_where_there_are_no_studies_yet(forbidden, workdir):
    forbidden(".")
    with pytest.raises(StudyError, match=r"Permission denied, but a search writes .*/studies/mine:"):
        require_writable(study_folder("mine"))


def test_a_file_in_the_way_is_named(workdir):
    (workdir / "studies").touch()
    with pytest.raises(StudyError, match="/studies is no folder, but a search needs one there"):
        require_writable(study_folder("mine"))


def test_files_of_a_study_that_are_written_in_place_count(forbidden, workdir):
    folder = study_folder("quickstart")
    folder.mkdir(parents=True)
    for name in ("study.db", "autoft.log"):
        (folder / name).touch()
    forbidden(folder / "autoft.log", 0o444)
    assert [path for path, _ in refused()] == [folder / "autoft.log"]


def test_the_folder_of_another_storage_and_that_for_temporary_files_count(forbidden, workdir, monkeypatch):
    elsewhere, temporary = forbidden("elsewhere"), forbidden("t")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr("autoft.study.layout.LONGEST_TEMPORARY_FOLDER", 200)
    storage = "search.storage=sqlite:///elsewhere/study.db"
    assert {path for path, _ in refused(storage)} == {temporary, elsewhere}


def test_no_folder_for_temporary_files_at_all_is_a_problem(workdir, monkeypatch):
    def none():
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    good, said = checked()
    assert not good
    assert "writes     PROBLEM: No usable temporary directory found: set TMPDIR to a folder" in said
