"""Whether a store takes a study, found out without leaving a trace."""

import shutil
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType
from sqlalchemy import inspect

from autoft.errors import StudyError, TrackingError
from autoft.tracking import store
from autoft.tracking.probe import probe, require_usable

from ..postgres import Postgres, postgres
from ..rights import ordinary


def content(path: Path) -> str:
    with closing(sqlite3.connect(path)) as file:
        return "\n".join(file.iterdump())


def test_a_database_that_is_not_there_is_not_made(workdir: Path) -> None:
    assert probe(None, "x") == "will be created by the search; its folder is writable"
    assert (
        probe("sqlite:///below/it/mlflow.db", "x") == "will be created by the search; its folder is writable"
    )
    assert require_usable(None, "x") is None
    assert list(workdir.iterdir()) == []


def test_a_database_is_the_same_afterwards(sqlite: str, workdir: Path) -> None:
    before = content(workdir / "mlflow.db")
    assert probe(sqlite, "x") == "takes runs and files"
    assert require_usable(sqlite, "x") is None
    assert content(workdir / "mlflow.db") == before
    assert [path.name for path in workdir.iterdir()] == ["mlflow.db"]


def test_a_server_has_nothing_more_than_a_deleted_run(server: str, study: str) -> None:
    client = MlflowClient(server)

    def there(view: int) -> list[str]:
        experiments = [each.experiment_id for each in client.search_experiments(view)]
        return experiments + [run.info.run_id for run in client.search_runs(experiments, run_view_type=view)]

    before = there(ViewType.ACTIVE_ONLY)
    assert probe(server, study) == "takes runs and files"
    assert there(ViewType.ACTIVE_ONLY) == before
    experiments = [each.experiment_id for each in client.search_experiments()]
    deleted = client.search_runs(experiments, "tags.`autoft.probe` = '1'", ViewType.DELETED_ONLY)
    assert [client.list_artifacts(run.info.run_id) for run in deleted] == [[]]


def test_a_dead_server_is_told_without_its_password_and_ends_no_search() -> None:
    address = "http://me:s3cret@127.0.0.1:1"  # a port on which nobody answers
    with pytest.raises(TrackingError, match=r"me:\*\*\*@127\.0\.0\.1.*Check the address") as raised:
        probe(address, "x")
    assert "s3cret" not in str(raised.value)
    warning = require_usable(address, "x")
    assert warning is not None and "does not answer as it should" in warning and "s3cret" not in warning


def test_a_deleted_experiment_is_refused_before_the_first_trial(uri: str, study: str) -> None:
    client = store.connect(uri)
    client.delete_experiment(store.experiment_id(client, study))
    for look in (probe, require_usable):
        with pytest.raises(TrackingError, match=r"is deleted in MLflow.*restore it there, or name another"):
            look(uri, study)


def test_files_that_cannot_be_written_are_told_apart_from_runs(sqlite: str, workdir: Path) -> None:
    (workdir / "file").write_text("not a folder")
    store.connect(sqlite).create_experiment("x", artifact_location=f"file://{workdir}/file/below")
    with pytest.raises(TrackingError, match=r"takes runs, but its artifact store .*/file is no folder"):
        probe(sqlite, "x")


def test_a_database_that_may_not_be_written_to_is_told(sqlite: str, workdir: Path) -> None:
    (workdir / "mlflow.db").chmod(0o444)
    with ordinary(), pytest.raises(StudyError, match=r"mlflow\.db: Permission denied, but a search writes"):
        require_usable(sqlite, "x")


FOLDERS = ["./mlruns", "mlruns", "file:mlruns", "file:./mlruns"]


@pytest.mark.parametrize("uri", FOLDERS)
def test_a_folder_is_refused_with_the_database_to_use(
    uri: str, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TrackingError) as raised:
        require_usable(uri, "x")
    assert str(raised.value) == (
        f"tracking.uri: MLflow keeps runs in no folder any more, got {uri}. Name a database: tracking.uri: "
        "sqlite:///mlflow.db"
    )
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    (workdir / "mlruns" / "0").mkdir(parents=True)
    with pytest.raises(TrackingError) as raised:
        require_usable(None, "x")
    assert "Name a database: MLFLOW_TRACKING_URI=sqlite:///mlflow.db. To take over" in str(raised.value)
    assert "mlflow migrate-filestore --source" in str(raised.value)
    assert sorted(path.name for path in workdir.iterdir()) == ["mlruns"]


@pytest.mark.parametrize("tracking", ["sqlite:///mlflow.db", "sqlite:///not-yet.db", "http://127.0.0.1:1"])
def test_a_registry_that_is_refused_is_named(
    tracking: str, sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "./models")
    with pytest.raises(TrackingError, match=r"^MLFLOW_REGISTRY_URI: MLflow keeps runs in no folder"):
        require_usable(tracking, "x")


def test_a_database_of_another_version_or_program_is_refused(sqlite: str, workdir: Path) -> None:
    shutil.copy("mlflow.db", "old.db")
    with closing(sqlite3.connect("old.db")) as file, file:
        file.execute("UPDATE alembic_version SET version_num = '0a8213491aaa'")
    with pytest.raises(TrackingError, match=r"another version of MLflow .* run: mlflow db upgrade sqlite"):
        require_usable("sqlite:///old.db", "x")
    with closing(sqlite3.connect("other.db")) as file, file:
        file.execute("CREATE TABLE alembic_version (version_num TEXT)")
    with pytest.raises(TrackingError, match="holds the tables of another program"):
        require_usable("sqlite:///other.db", "x")
    Path("junk.db").write_bytes(b"no database" * 100)
    with pytest.raises(TrackingError, match=r"junk\.db does not open: .*file is not a database"):
        require_usable("sqlite:///junk.db", "x")


def test_a_missing_driver_and_an_unknown_kind_are_refused(workdir: Path) -> None:
    with pytest.raises(TrackingError, match="the Python package MySQLdb; run: pip install 'mysqlclient'"):
        require_usable("mysql://me:s3cret@db/x", "x")
    with pytest.raises(TrackingError, match=r"is of no kind that MLflow knows; use a server \(http://"):
        require_usable("gopher://x", "x")


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


def test_an_empty_postgresql_stays_empty(database: Postgres, workdir: Path) -> None:
    assert probe(database.url, "x") == "the search will create its tables; this folder is writable"
    assert inspect(store.engine_of(database.url)).get_table_names() == []


def test_a_postgresql_that_is_away_is_told_in_seconds(workdir: Path) -> None:
    with socket.socket() as silent:  # listens, and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began_s = time.monotonic()
        with pytest.raises(TrackingError, match=r"postgresql\+psycopg://me:\*\*\*@127.* Check the address"):
            probe(f"postgresql+psycopg://me:s3cret@127.0.0.1:{silent.getsockname()[1]}/x", "x")
        assert time.monotonic() - began_s < 10
    warning = require_usable("postgresql+psycopg://me:s3cret@127.0.0.1:1/x", "x")
    assert warning is not None and "Connection refused" in warning and "s3cret" not in warning


def test_a_wrong_name_is_refused_before_the_first_trial(database: Postgres, workdir: Path) -> None:
    wrong = database.url.replace("/postgres?", "/nothing?")
    with pytest.raises(TrackingError, match='database "nothing" does not exist'):
        require_usable(wrong, "x")
