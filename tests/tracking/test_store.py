import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from autoft.errors import TrackingError
from autoft.spec.environment import redact
from autoft.tracking import store


def test_given_uri_comes_before_the_environment_and_that_before_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert store.resolve(None) == f"sqlite:///{Path.cwd()}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://from.env")
    assert store.resolve(None) == "http://from.env"
    assert store.resolve("http://given") == "http://given"


def test_secrets_are_masked_as_in_the_spec() -> None:
    assert store.redact is redact


def test_unusable_address_is_an_error_with_a_way_out() -> None:
    with pytest.raises(TrackingError, match=r"tracking\.uri: the MLflow store at gopher://x is of no kind"):
        store.connect("gopher://x")


def test_deleted_experiment_is_named(uri: str, study: str) -> None:
    client = store.connect(uri)
    client.delete_experiment(store.experiment_id(client, study))
    with pytest.raises(TrackingError, match=r"is deleted in MLflow.*restore it there, or name another"):
        store.experiment_id(client, study)


def test_new_database_is_made_without_a_word(tmp_path: Path) -> None:
    code = "from autoft.tracking import store; store.connect('sqlite:///mlflow.db')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_an_sqlite_file_follows_the_working_directory(
    empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow keeps one open store for a URI, whatever folder it was opened in."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy(empty_database, tmp_path / name / "mine.db")
        monkeypatch.chdir(tmp_path / name)
        store.experiment_id(store.connect("sqlite:///mine.db"), name)
    for name in ("one", "two"):
        with closing(sqlite3.connect(tmp_path / name / "mine.db")) as file:
            experiments = [row[0] for row in file.execute("SELECT name FROM experiments")]
        assert experiments == ["Default", name]
    for uri in ("sqlite:////abs/x.db", "sqlite://", "sqlite:///:memory:", "sqlite:///file:x.db?uri=true"):
        assert store.resolve(uri) == uri
