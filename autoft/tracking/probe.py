"""Whether a store accepts a study's runs and files, tested before the first trial without leaving a trace."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import sqlalchemy
from mlflow import MlflowClient
from mlflow.entities import Experiment, RunTag
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from autoft.errors import TrackingError
from autoft.spec.databases import is_database
from autoft.spec.environment import redact
from autoft.spec.sqlite import sqlite_file
from autoft.study.writable import require_writable
from autoft.tracking import store, tags
from autoft.tracking.refusal import first_line

FINAL = ("UNAUTHENTICATED", "PERMISSION_DENIED", "ENDPOINT_NOT_FOUND")
"""Error codes of a server that waiting does not change."""
ANSWER_S = "5"
"""Seconds that the start of a search waits for a server's answer, as a text for MLflow's variable."""
NEW_ARTIFACTS = "mlruns"
"""MLflow's folder for files in the working directory, if it creates the database itself."""


def probe(uri: str | None, experiment: str) -> str:
    """Tests whether the store would accept what a search writes; returns in words what it accepts.

    In a database it tries a statement that changes nothing, and for files it writes one and deletes it. On a
    server it creates a run and deletes it; the server shows it as deleted until its `mlflow gc` is run.

    Raises:
        TrackingError: the store or its artifact store does not accept it.
        StudyError: its folder cannot be written to.
    """
    where = store.resolve(uri)
    _try_registry(where)
    if is_database(where):
        return _try_database(where, experiment, files_elsewhere=True)
    _try_server(where, experiment)
    return "takes runs and files"


def require_usable(uri: str | None, experiment: str) -> str | None:
    """Refuses, before the first trial, a store that will never accept the study.

    Returns:
        What is wrong, in words, if the store may work again later; None if nothing is wrong.

    Raises:
        TrackingError: the store does not accept it.
        StudyError: its folder cannot be written to.
    """
    where = store.resolve(uri)
    try:
        _try_registry(where)
        if is_database(where):
            _try_database(where, experiment, files_elsewhere=False)
        else:
            with _short_answers():
                _find_experiment(store.connect(where), where, experiment)
    except store.UnreachableError as error:
        return str(error)
    return None


def _try_database(where: str, experiment: str, *, files_elsewhere: bool) -> str:
    new = Path.cwd() / NEW_ARTIFACTS  # where MLflow puts the files of a new experiment
    if to_be_made := _try_tables(where):
        require_writable(new)
        return to_be_made
    found = _find_experiment(store.connect(where), where, experiment)
    _try_files(found.artifact_location if found else str(new), where, elsewhere=files_elsewhere)
    return "takes runs and files"


def _try_registry(where: str) -> None:
    """Tests the separate store for models, if there is one."""
    models = store.registry_uri(where)
    if models == where:
        return
    if is_database(models):
        _try_tables(models)
    else:
        store.connect(models)


def _try_tables(where: str) -> str | None:
    """Tests whether MLflow's tables accept a row; returns words if the search has yet to create them."""
    file = sqlite_file(where)
    if file is not None:
        require_writable(file.parent)
        require_writable(file)
        if not file.exists():
            return "will be created by the search; its folder is writable"
    engine = store.engine_of(where)
    with store.clear_errors(where):
        tables = sqlalchemy.inspect(engine).get_table_names()
        if "experiments" in tables:
            _try_statement(engine)
            return None
        if "alembic_version" in tables:
            raise TrackingError(
                f"tracking.uri: the database at {redact(where)} holds the tables of another program; name "
                "one of MLflow's own"
            )
        _try_table(engine)
    return "the search will create its tables; this folder is writable"


def _try_table(engine: sqlalchemy.Engine) -> None:
    """Creates a table and deletes it."""
    table = sqlalchemy.Table(
        f"autoft_probe_{uuid4().hex}", sqlalchemy.MetaData(), sqlalchemy.Column("id", sqlalchemy.Integer)
    )
    with engine.begin() as connection:
        table.create(connection)
        table.drop(connection)


def _try_statement(engine: sqlalchemy.Engine) -> None:
    """Inserts zero rows into a table of MLflow, which needs the right to write."""
    table = sqlalchemy.Table("experiment_tags", sqlalchemy.MetaData(), autoload_with=engine)
    nothing = sqlalchemy.select(table).where(sqlalchemy.false())
    with engine.begin() as connection:
        connection.execute(table.insert().from_select(list(table.columns), nothing))


def _try_files(location: str, where: str, *, elsewhere: bool) -> None:
    """Writes a file below `location` and deletes it; on other machines only if `elsewhere` is set."""
    path = store.local_path(location)
    if path is not None and path.parent.name == NEW_ARTIFACTS and not path.parent.parent.is_dir():
        raise TrackingError(
            f"tracking.uri: the MLflow store at {redact(where)} keeps its files in {path}, but that is gone. "
            "Bring it back, or begin another store, such as tracking.uri: sqlite:///new.db; what there is of "
            "the study goes there by `autoft sync STUDY --uri sqlite:///new.db`"
        )
    try:
        if path is not None:
            require_writable(path)
        elif elsewhere:
            _there_and_away(f"{location.rstrip('/')}/autoft-probe-{uuid4().hex}", where)
    except Exception as error:  # each artifact store has its own exceptions
        raise _takes_no_files(location, where, error) from error


def _there_and_away(location: str, where: str) -> None:
    repository = get_artifact_repository(location, tracking_uri=where)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "probe.txt"
        file.write_text("a write probe of autoft check\n")
        repository.log_artifact(str(file))  # type: ignore[no-untyped-call]
    if [found.path for found in repository.list_artifacts()] != ["probe.txt"]:
        raise OSError("what was written is not there")
    with suppress(Exception):  # not every artifact store can delete
        repository.delete_artifacts()  # type: ignore[no-untyped-call]


def _try_server(where: str, experiment: str) -> None:
    with _short_answers():
        client = store.connect(where)
        found = _find_experiment(client, where, experiment)
    with store.clear_errors(where), _some_experiment(client, found) as place:
        run = client.create_run(place, tags={tags.ROLE: "probe"}, run_name="autoft-probe")
        try:
            client.log_batch(run.info.run_id, tags=[RunTag("autoft.probe", "1")])
            try:
                _there_and_away(run.info.artifact_uri, where)
            except Exception as error:  # each artifact store has its own exceptions
                raise _takes_no_files(run.info.artifact_uri, where, error) from error
        finally:
            with suppress(Exception):
                client.delete_run(run.info.run_id)


@contextmanager
def _some_experiment(client: MlflowClient, found: Experiment | None) -> Iterator[str]:
    """The id of the study's experiment, else of any; one that has to be created is deleted afterwards."""
    there = [found] if found else client.search_experiments(max_results=1)
    if there:
        yield there[0].experiment_id
        return
    made = client.create_experiment(f"autoft-probe-{uuid4().hex}")
    try:
        yield made
    finally:
        with suppress(Exception):
            client.delete_experiment(made)


def _find_experiment(client: MlflowClient, where: str, name: str) -> Experiment | None:
    """The experiment `name`, if any. Raises TrackingError if it is deleted or the store does not answer."""
    try:
        found = client.get_experiment_by_name(name)
    except Exception as error:
        final = getattr(error, "error_code", "") in FINAL
        raise store.error_of(where, error, away=not final) from error
    if found is not None:
        store.require_active(found)
    return found


@contextmanager
def _short_answers() -> Iterator[None]:
    before = os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"]
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = ANSWER_S
    try:
        yield
    finally:
        os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = before


def _takes_no_files(location: str, where: str, error: Exception) -> TrackingError:
    return TrackingError(
        f"tracking.uri: the MLflow store at {redact(where)} takes runs, but its artifact store "
        f"{redact(location)} does not take files: {first_line(error)}. Give this machine the rights to write "
        "there, or let the server pass files on: --serve-artifacts."
    )
