"""The driver's files on a node: in place where it sees them, else a whole copy of its own."""

from pathlib import Path

import pytest

from autoft.study.ray_tune.runtime import Runtime
from autoft.study.ray_tune.shipping import WorkerNode, _delete, _names, forget, ship, write_token


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The driver's disk; the node's own temporary folder is beside it."""
    (tmp_path / "driver/model/sub").mkdir(parents=True)
    (tmp_path / "driver/model/config.json").write_text("{}")
    (tmp_path / "driver/model/sub/weights").write_bytes(b"\x00\x01")
    (tmp_path / "driver/rows.arrow").write_text("rows")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "node"))
    (tmp_path / "node").mkdir()
    return tmp_path / "driver"


def test_a_node_that_sees_the_disk_uses_it(driver: Path, two_workers: Runtime) -> None:
    node = WorkerNode(driver, write_token(driver), ship([driver / "model", driver / "rows.arrow"]))
    assert node.sees_driver
    assert node.locate(driver / "model") == driver / "model"
    assert node.locate(driver / "rows.arrow") == driver / "rows.arrow"
    assert node.scratch(driver / "cache") == driver / "cache"


def test_a_node_that_does_not_gets_copies(driver: Path, two_workers: Runtime) -> None:
    paths = [driver / "model", driver / "rows.arrow"]
    files, token = ship(paths), write_token(driver)
    driver.rename(driver.with_name("gone"))
    node = WorkerNode(driver, token, files)
    assert not node.sees_driver
    model, rows = (node.locate(path) for path in paths)
    assert (model / "config.json").read_text() == "{}"
    assert (model / "sub/weights").read_bytes() == b"\x00\x01"
    assert rows.read_text() == "rows"
    assert model.is_relative_to(driver.with_name("node"))
    assert node.locate(driver / "model") == model
    assert node.scratch(driver / "cache").is_dir()
    assert node.scratch(driver / "cache") != node.scratch(driver / "other")


def test_a_folder_of_the_same_name_with_other_files_is_not_taken_for_it(
    driver: Path, two_workers: Runtime
) -> None:
    files = ship([driver / "model"])
    (driver / "model/config.json").write_text("{ }")
    copy = WorkerNode(driver, "other", files).locate(driver / "model")
    assert (copy / "config.json").read_text() == "{}"


def test_another_study_in_the_same_place_is_not_the_drivers(driver: Path) -> None:
    write_token(driver)
    assert not WorkerNode(driver, "0123", {}).sees_driver


def test_a_node_forgets_what_it_was_given(driver: Path, two_workers: Runtime, tmp_path: Path) -> None:
    model, rows, cache = driver / "model", driver / "rows.arrow", driver / "cache"
    files, hidden = ship([model, rows]), driver.with_name("gone")
    driver.rename(hidden)
    node = WorkerNode(driver, "another", files)
    copies = [node.locate(model), node.locate(rows), node.scratch(cache)]
    (copies[2] / "states").write_text("states")
    hidden.rename(driver)
    # As the task does it there; it runs in a process whose temporary folder is another one.
    _delete([*_names([cache], [rows])])
    assert [path.exists() for path in copies] == [True, False, False]
    forget([cache], [rows], {})
