"""A store that was moved or copied with its folder."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from autoft.errors import TrackingError
from autoft.tracking import store
from autoft.tracking.probe import require_usable


@pytest.fixture
def made(empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a store, in which one run of the experiment `x` has a file; the working directory."""
    folder = tmp_path / "made here, at first"
    folder.mkdir()
    monkeypatch.chdir(folder)
    shutil.copy(empty_database, "mlflow.db")
    client = store.connect(None)
    run = client.create_run(store.experiment_id(client, "x"), run_name="first")
    client.log_text(run.info.run_id, "kept", "note.txt")
    return folder


def places(folder: Path) -> set[str]:
    """All that the database says of where files are, but for MLflow's experiment 0, which came along."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as file:
        rows = file.execute("SELECT artifact_location FROM experiments WHERE name = 'x'").fetchall()
        rows += file.execute("SELECT artifact_uri FROM runs").fetchall()
    return {row[0].split("/mlruns/")[0] for row in rows}


def first_note() -> str:
    client = store.connect(None)
    place = client.get_experiment_by_name("x").experiment_id
    (run,) = client.search_runs([place])
    return Path(client.download_artifacts(run.info.run_id, "note.txt")).read_text()


def add_note() -> None:
    client = store.connect(None)
    run = client.create_run(client.get_experiment_by_name("x").experiment_id)
    client.log_text(run.info.run_id, "new", "note.txt")


def test_a_renamed_folder_is_followed_and_new_files_go_to_the_new_place(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed = made.rename(made.parent / "renamed")
    monkeypatch.chdir(renamed)
    assert first_note() == "kept"
    add_note()
    assert places(renamed) == {str(renamed)}
    assert len(list(renamed.glob("mlruns/*/*/artifacts/note.txt"))) == 2
    assert not made.exists()


def test_a_copy_writes_into_itself(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = Path(shutil.copytree(made, made.parent / "copy"))
    monkeypatch.chdir(copy)
    assert first_note() == "kept"
    add_note()
    assert places(copy) == {str(copy)}
    assert len(list(made.glob("mlruns/*/*/artifacts/note.txt"))) == 1
    monkeypatch.chdir(made)
    assert first_note() == "kept" and places(made) == {str(made)}


def test_a_database_elsewhere_follows_the_folder_of_its_files(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"sqlite:///{made.parent}/mlflow.db"
    shutil.move(made / "mlflow.db", made.parent / "mlflow.db")
    renamed = made.rename(made.parent / "renamed")
    monkeypatch.chdir(renamed)
    store.connect(uri)
    assert places(made.parent) == {str(renamed)}
    copy = Path(shutil.copytree(renamed, made.parent / "copy"))  # both use the one database
    monkeypatch.chdir(copy)
    store.connect(uri)
    assert places(made.parent) == {str(renamed)}


def test_files_that_are_nowhere_are_not_followed_and_refused_before_the_first_trial(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed = made.rename(made.parent / "renamed")
    monkeypatch.chdir(renamed)
    shutil.rmtree(renamed / "mlruns")
    with pytest.raises(TrackingError, match=rf"its files in {made}/mlruns/\d+, but that is gone\. Bring"):
        require_usable(None, "x")
    assert places(renamed) == {str(made)}


def test_a_store_with_its_files_elsewhere_is_left_alone(empty_database: Path, workdir: Path) -> None:
    shutil.copy(empty_database, "mlflow.db")
    client = store.connect(None)
    client.create_run(client.create_experiment("x", artifact_location=f"{workdir}/big-disk/x"))
    (workdir / "mlruns").mkdir()
    store.connect(None)
    assert all(place.startswith(f"{workdir}/big-disk/x") for place in places(workdir))


def test_what_is_no_store_of_mlflows_is_left_to_others(workdir: Path) -> None:
    (workdir / "mlflow.db").write_text("no database at all")
    with pytest.raises(TrackingError, match="file is not a database"):
        store.connect(None)
