"""Why MLflow does not accept a store, and what helps, for each kind of reason."""

import re
from pathlib import Path

from autoft.spec.environment import redact

_CAUSE = re.compile(r"Caused by \w+\([\"']?(?:\w+\(.*?\): )?(.*?)[\"']?\)+$")
_PACKAGES = {"psycopg2": "psycopg2-binary", "psycopg": "psycopg[binary]", "MySQLdb": "mysqlclient"}
"""Packages that provide a missing module and have another name."""
_DATABASE = "sqlite:///mlflow.db"


def explain(key: str, where: str, error: BaseException) -> str:
    """What is wrong with the store at `where`, which `key` names, and what to do; secrets are masked."""
    shown, said, reason = redact(where), str(error), first_line(error)
    place = f"{key}: the MLflow store at {shown}"
    if "filesystem" in said and "maintenance mode" in said:
        return _folder(key, where)
    if "out-of-date database schema" in said:
        return (
            f"{place} was made by another version of MLflow ({reason}). Where no other program writes to it, "
            f"back it up and run: mlflow db upgrade {shown}"
        )
    if "Can't locate revision" in said:
        return f"{place} holds the tables of another program; name a database of its own"
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = _PACKAGES.get(error.name, error.name)
        return f"{place} needs the Python package {error.name}; run: pip install '{package}'"
    if "unsupported URI" in said:
        return (
            f"{place} is of no kind that MLflow knows; use a server (http://, https://) or a database "
            f"(sqlite:///, postgresql://, mysql://, mssql://), such as {_DATABASE}"
        )
    if where.startswith("sqlite"):
        return (
            f"{place} does not open: {reason}. It must be a file that MLflow made, or none yet, in a folder "
            "that you may write to"
        )
    return (
        f"{place} does not answer as it should: {reason}. Check the address, that the server runs and that "
        "you may write there."
    )


def first_line(error: BaseException) -> str:
    """The message of an exception in one line without secrets."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[0] if lines else type(error).__name__
    if cause := _CAUSE.search(said):  # requests wraps "connection refused" in three layers
        said = cause[1]
    return redact(said)[:400].rstrip(".")


def _folder(key: str, where: str) -> str:
    """The message for a folder of files, which was MLflow 2's default."""
    folder = Path(where.removeprefix("file://").removeprefix("file:"))
    name = f"{key}={_DATABASE}" if key.isupper() else f"{key}: {_DATABASE}"
    said = f"{key}: MLflow keeps runs in no folder any more, got {redact(where)}. Name a database: {name}"
    if not folder.is_dir() or not any(folder.iterdir()):
        return said
    command = f"mlflow migrate-filestore --source {folder} --target {_DATABASE}"
    return f"{said}. To take over what is in the folder, run this first: {command}"
