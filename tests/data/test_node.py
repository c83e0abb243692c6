import stat
import tempfile

import pytest

from autoft.data import node
from autoft.data.files import file_digest
from autoft.errors import DataError


@pytest.fixture
def temp_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()


def never():
    raise AssertionError("nothing had to be fetched")


@pytest.mark.usefixtures("temp_folder")
def test_a_visible_file_is_used_where_it_lies(tmp_path):
    path = tmp_path / "rows.arrow"
    path.write_bytes(b"rows")
    assert node.localize(path, file_digest(path), never) == path


@pytest.mark.usefixtures("temp_folder")
def test_an_invisible_or_different_file_is_fetched_once_and_mended(tmp_path):
    path = tmp_path / "rows.arrow"
    path.write_bytes(b"rows")
    digest = file_digest(path)
    path.write_bytes(b"somebody else's rows")
    copy = node.localize(path, digest, lambda: b"rows")
    assert copy != path and copy.read_bytes() == b"rows"
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
    path.unlink()
    assert node.localize(path, digest, never) == copy
    copy.write_bytes(b"ro")
    assert node.localize(path, digest, lambda: b"rows").read_bytes() == b"rows"


@pytest.mark.usefixtures("temp_folder")
def test_bytes_that_are_not_those_of_the_study_are_refused(tmp_path):
    with pytest.raises(DataError, match="changed since the study began"):
        node.localize(tmp_path / "rows.arrow", "0" * 32, lambda: b"other")
    assert not [file for file in node.node_folder().iterdir() if file.suffix == ".arrow"]


@pytest.mark.usefixtures("temp_folder")
def test_a_link_in_the_place_of_the_node_folder_is_not_followed(tmp_path):
    folder = node.node_folder()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(DataError, match="belongs to somebody else"):
        node.node_folder()
