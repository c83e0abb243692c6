"""The file behind an SQLite URL: opening a database makes it, and who only reads must not."""

from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError


def sqlite_file(url: str) -> Path | None:
    """The database file of `sqlite:///...`; None where the URL is of something else, or of none at all.

    >>> sqlite_file("sqlite:///mlflow.db?timeout=60")
    PosixPath('mlflow.db')
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return None
    name = parsed.database
    if parsed.get_backend_name() != "sqlite" or not name or name == ":memory:" or name.startswith("file:"):
        return None
    return Path(name)
