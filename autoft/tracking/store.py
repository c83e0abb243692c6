"""Which MLflow store a study is published to, reached without noise, and whether it takes a write."""

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from autoft.errors import AutoftError, TrackingError
from autoft.spec.environment import redact as redact  # callers say `store.redact`
from autoft.tracking import tags
from autoft.tracking.fresh import make_whole

DEFAULT_URI = "sqlite:///mlflow.db"
"""MLflow's own default: a file in the working directory."""
_SQLITE_FILE = "sqlite:///"

_CAUSE = re.compile(r"Caused by \w+\([\"']?(?:\w+\(.*?\): )?(.*?)[\"']?\)+$")


def resolve(uri: str | None) -> str:
    """The tracking URI to use: the given one, else MLFLOW_TRACKING_URI, else MLflow's default.

    An SQLite file gets its whole path: MLflow keeps one open store for a URI, so a process that changes
    its working directory would go on writing into the old one.
    """
    where = uri or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
    file = where.removeprefix(_SQLITE_FILE)
    is_path = file != where and file and not file.startswith(("file:", ":memory:"))
    return f"{_SQLITE_FILE}{Path.cwd() / file}" if is_path else where


def hush() -> None:
    """Takes MLflow's log lines and warnings off the screen; a log file of the root logger still gets them."""
    for name in ("mlflow", "alembic", "sqlalchemy.engine", "huey"):
        logger = logging.getLogger(name)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = True
    warnings.filterwarnings("ignore", module=r"mlflow(\..*)?")
    from mlflow.utils import logging_utils

    logging_utils.MLFLOW_LOGGING_STREAM.enabled = False  # what MLflow prints by itself


def connect(uri: str | None) -> MlflowClient:
    """A client of the tracking store at `uri`; the model registry is looked for in the same place.

    Makes no request yet, except that a database is created or checked. Raises TrackingError where the
    URI is not one that MLflow can use.
    """
    hush()
    where = resolve(uri)
    with clear_errors(where):
        make_whole(where)
        client = MlflowClient(where, registry_uri=registry_uri(where))
        client._tracking_client.store  # noqa: B018 - opens the database now, so that what is wrong is said here
    return client


def registry_uri(where: str) -> str:
    """Where models are registered: MLFLOW_REGISTRY_URI, else in the tracking store at `where`."""
    return os.environ.get("MLFLOW_REGISTRY_URI") or where


@contextmanager
def clear_errors(uri: str) -> Iterator[None]:
    """Turns whatever goes wrong with the store into a TrackingError that says what to do, secrets masked."""
    try:
        yield
    except AutoftError:
        raise
    except Exception as error:  # MLflow lets through what SQLAlchemy, requests and the artifact stores raise
        raise TrackingError(
            f"tracking.uri: the MLflow store at {redact(uri)} does not answer as it should: "
            f"{first_line(error)}. Check the address, that the server runs and that you may write there."
        ) from error


def first_line(error: BaseException) -> str:
    """What an exception says, in one line without secrets."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[0] if lines else type(error).__name__
    if cause := _CAUSE.search(said):  # requests wraps "connection refused" in three layers
        said = cause[1]
    return redact(said)[:400].rstrip(".")


def experiment_id(client: MlflowClient, name: str) -> str:
    """The id of the experiment `name`, made where it does not exist.

    Raises TrackingError where it was deleted: MLflow keeps the name of a deleted experiment taken.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name))
        except MlflowException:  # somebody else made it in this moment
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage != "active":
        raise TrackingError(
            f"tracking.experiment: {name!r} is deleted in MLflow, and nothing can be written to it; "
            "restore it there, or name another one"
        )
    return str(found.experiment_id)


def probe(uri: str | None, experiment: str) -> None:
    """Writes a run with a small artifact to the store and takes it away again.

    Raises TrackingError where the server or its artifact store does not accept it. The experiment
    stays: the search needs it anyway.
    """
    where = resolve(uri)
    client = connect(where)
    with clear_errors(where):
        run = client.create_run(
            experiment_id(client, experiment), tags={tags.ROLE: "probe"}, run_name="autoft-probe"
        )
    try:
        with clear_errors(where):
            client.log_batch(run.info.run_id, tags=[RunTag("autoft.probe", "1")])
        _probe_artifacts(client, run.info.run_id, run.info.artifact_uri, where)
    finally:
        with suppress(Exception):
            client.delete_run(run.info.run_id)


def _probe_artifacts(client: MlflowClient, run_id: str, artifact_uri: str, where: str) -> None:
    try:
        client.log_text(run_id, "a write probe of autoft check\n", "probe.txt")
        if [file.path for file in client.list_artifacts(run_id)] != ["probe.txt"]:
            raise OSError("what was written is not there")
    except Exception as error:  # each artifact store has its own exceptions
        raise TrackingError(
            f"tracking.uri: the MLflow server at {redact(where)} takes runs, but its artifact store "
            f"{redact(artifact_uri)} does not take files: {first_line(error)}. "
            "Give this machine the rights to write there, or let the server pass files on: --serve-artifacts."
        ) from error
    with suppress(Exception):  # not every artifact store can delete
        get_artifact_repository(artifact_uri, tracking_uri=where).delete_artifacts()  # type: ignore[no-untyped-call]
