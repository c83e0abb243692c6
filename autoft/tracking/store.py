"""The MLflow store that a study is published to, connected without log output, and its errors."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlparse

from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from autoft.errors import AutoftError, TrackingError
from autoft.spec.databases import connect_timeout, is_database, tracking_uri
from autoft.spec.environment import redact as redact  # callers say `store.redact`
from autoft.tracking.fresh import make_whole
from autoft.tracking.moved import follow
from autoft.tracking.refusal import explain
from autoft.tracking.refusal import first_line as first_line  # callers say `store.first_line`

_REFUSALS = ("authentication failed", "does not exist", "pg_hba.conf", "access denied", "unknown database")
"""Parts of a database server's error messages that waiting does not change."""
_SQLITE_FILE = "sqlite:///"
CONNECT_TIMEOUT_S = 4
"""How long a database server may take to answer; PostgreSQL's library waits so long for each address."""


class UnreachableError(TrackingError):
    """The store does not answer now; it may do so later."""


def resolve(uri: str | None) -> str:
    """The tracking URI to use: the given one, else MLFLOW_TRACKING_URI, else MLflow's default.

    An SQLite file gets its whole path: MLflow keeps one open store for a URI, so a process that changes
    its working directory would go on writing into the old one.
    """
    where = tracking_uri(uri)
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

    Makes no request yet, except that a database is created or checked. Raises TrackingError if MLflow cannot
    use the URI, and UnreachableError if a database server does not answer.
    """
    hush()
    where = resolve(uri)
    models = registry_uri(where)
    follow(where)
    for each in dict.fromkeys((where, models)):
        if is_database(each) and not each.startswith("sqlite"):
            engine_of(each)
    # Both are opened now, so that what is wrong is said here.
    with clear_errors(where):
        make_whole(where)
    with clear_errors(models):
        client = MlflowClient(where, registry_uri=models)
        client._get_registry_client()  # type: ignore[no-untyped-call]
    with clear_errors(where):
        client._tracking_client.store  # noqa: B018
    return client


def engine_of(where: str) -> Engine:
    """An engine for a few statements of our own, without pooled connections, whose database has answered.

    MLflow itself would try to reach an absent server for a minute and a half. Raises TrackingError, and
    UnreachableError for a server that may come back.
    """
    try:
        with clear_errors(where):
            timeout = connect_timeout(where, CONNECT_TIMEOUT_S)
            engine = create_engine(where, poolclass=NullPool, connect_args=timeout)
        engine.connect().close()
    except DBAPIError as error:
        final = where.startswith("sqlite") or any(word in str(error).lower() for word in _REFUSALS)
        raise error_of(where, error, away=not final) from error
    return engine


def registry_uri(where: str) -> str:
    """Where models are registered: MLFLOW_REGISTRY_URI, else in the tracking store at `where`."""
    return os.environ.get("MLFLOW_REGISTRY_URI") or where


@contextmanager
def clear_errors(uri: str) -> Iterator[None]:
    """Turns any error of the store into a TrackingError that says what to do; secrets are masked."""
    try:
        yield
    except AutoftError:
        raise
    except Exception as error:  # MLflow lets through what SQLAlchemy, requests and the artifact stores raise
        raise error_of(uri, error) from error


def error_of(where: str, error: Exception, *, away: bool = False) -> TrackingError:
    """What is wrong with the store at `where`, and what helps; `away`: it may work again by itself."""
    key = "tracking.uri"
    if where == os.environ.get("MLFLOW_REGISTRY_URI"):
        key = "MLFLOW_REGISTRY_URI"
    elif os.environ.get("MLFLOW_TRACKING_URI") and where == resolve(None):
        key = "MLFLOW_TRACKING_URI"
    return (UnreachableError if away else TrackingError)(explain(key, where, error))


def holds_files(location: str, where: str) -> bool:
    """Whether a model's files are at `location`; True if that cannot be checked."""
    path = local_path(location)
    if path is not None:
        return (path / "MLmodel").is_file()
    try:
        return bool(get_artifact_repository(location, tracking_uri=where).list_artifacts())
    except Exception:  # each artifact store has its own; nothing is known
        return True


def local_path(location: str) -> Path | None:
    """The folder on this machine behind an artifact location; None if it is elsewhere."""
    parts = urlparse(location)
    return Path(unquote(parts.path)) if parts.scheme in ("", "file") else None


def experiment_id(client: MlflowClient, name: str) -> str:
    """The id of the experiment `name`, which is created if it does not exist.

    Raises TrackingError if it was deleted, because MLflow does not free the name of a deleted experiment.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name))
        except MlflowException:  # another process created it at the same moment
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    require_active(found)
    return str(found.experiment_id)


def require_active(experiment: Experiment) -> None:
    """Raises TrackingError if the experiment was deleted."""
    if experiment.lifecycle_stage != "active":
        raise TrackingError(
            f"tracking.experiment: {experiment.name!r} is deleted in MLflow, and nothing can be written to "
            "it; restore it there, or name another one"
        )
