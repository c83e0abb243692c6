"""A store that was moved or copied with its folder: its database holds the whole paths of its files."""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from autoft.spec.sqlite import sqlite_file

_LOG = logging.getLogger(__name__)
_FOLDER = "mlruns"
"""Where MLflow keeps files by default: `mlruns/EXPERIMENT/...` in the working directory."""
_PATHS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Columns of MLflow's tables that hold the path of a file or folder."""
_OWN_NAMES = _PATHS[1:3]
"""The columns whose paths end in a unique id: the same id in another place is the same run or model."""
_WAIT_S = 10


def follow(where: str) -> None:
    """Lets the SQLite store at `where` find its files again, beside it or in the working directory.

    Its paths are changed only if a run or model is found in the new place. If it is in the old place too,
    they are changed only if the database is beside the new one, which means that both were copied. A store
    with its files elsewhere is left alone.
    """
    file = sqlite_file(where)
    if file is None or not file.is_file():
        return
    try:
        with closing(sqlite3.connect(file, timeout=_WAIT_S)) as database, database:
            for old, new in _moves(database, file.absolute().parent):
                _replace(database, old, new)
                _LOG.warning("the MLflow store's files have moved from %s to %s; its paths follow", old, new)
    except sqlite3.Error as error:  # not an MLflow store, or not writable: using it will say so
        _LOG.info("%s was not looked at for moved files: %s", file, error)


def _moves(database: sqlite3.Connection, home: Path) -> Iterator[tuple[Path, Path]]:
    """The folders of files that are gone from where the database has them, and where they are now."""
    for old in _folders(database):
        for new in dict.fromkeys((home / _FOLDER, Path.cwd() / _FOLDER)):
            if os.path.realpath(old) != os.path.realpath(new) and _is_now(database, old, new, home):
                yield old, new
                break


def _folders(database: sqlite3.Connection) -> list[Path]:
    """Each folder `mlruns` in which MLflow has put the files of an experiment."""
    rows = database.execute("SELECT artifact_location FROM experiments").fetchall()
    found = (Path(str(location).removeprefix("file://")) for (location,) in rows)
    return list({path.parent: None for path in found if path.is_absolute() and path.parent.name == _FOLDER})


def _is_now(database: sqlite3.Connection, old: Path, new: Path, home: Path) -> bool:
    for table, column in _OWN_NAMES:
        for (location,) in database.execute(f"SELECT {column} FROM {table}"):
            path = Path(str(location).removeprefix("file://"))
            if path.is_relative_to(old) and (new / path.relative_to(old)).is_dir():
                return not path.is_dir() or new.parent == home
    return False


def _replace(database: sqlite3.Connection, old: Path, new: Path) -> None:
    for before, after in ((f"{old}/", f"{new}/"), (f"file://{old}/", f"file://{new}/")):
        for table, column in _PATHS:
            database.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                (after, len(before) + 1, len(before), before),
            )
