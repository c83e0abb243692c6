"""Whether a search can write where it has to, tested by trying before anything else is done."""

import os
import tempfile
from pathlib import Path

from autoft.errors import StudyError
from autoft.spec.sqlite import sqlite_file
from autoft.spec.study import StudySpec
from autoft.study.failure_streak import FULL_DISK
from autoft.study.layout import DATABASE, LOCK, LOG, study_folder, temporary_folder

_REWRITTEN = (DATABASE, LOCK, LOG)
"""Files of a study that are changed in place; all others are replaced."""


def written_by(spec: StudySpec) -> list[Path]:
    """The folders that a search writes to, and those of its files that exist; MLflow's are left out."""
    folder = study_folder(spec.study)
    folders = [folder, *(Path(root, name) for root, names, _ in os.walk(folder) for name in names)]
    files = [folder / name for name in _REWRITTEN]
    if spec.search.storage and (file := sqlite_file(spec.search.storage)):
        folders.append(file.absolute().parent)
        files.append(file.absolute())
    return [*folders, temporary_folder(), *filter(os.path.exists, files)]


def require_writable(path: Path) -> None:
    """Refuses a file or folder that cannot be written to. Leaves nothing behind.

    For a path that does not exist yet, the folder that it would be created in is tried.

    Raises:
        StudyError: says where it fails, why, and what to do.
    """
    if not os.path.isfile(path):
        _try(path if os.path.isdir(path) else _nearest(path), path)
    elif not os.access(path, os.W_OK, effective_ids=True):
        raise _refusal(path, path, "Permission denied")


def _nearest(path: Path) -> Path:
    """The nearest existing folder above. Raises StudyError if something else is in the way."""
    above = next(each for each in (path, *path.parents) if os.path.lexists(each))
    if not above.is_dir():
        raise StudyError(f"{above} is no folder, but a search needs one there: move it, or search elsewhere")
    return above


def _try(folder: Path, path: Path) -> None:
    """Creates a temporary file in `folder`, where `path` is to be."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        if error.errno in FULL_DISK:
            raise
        raise _refusal(folder, path, error.strerror or str(error)) from None


def _refusal(place: Path, path: Path, why: str) -> StudyError:
    what = "a search writes to it" if path == place else f"a search writes {path}"
    return StudyError(
        f"{place}: {why}, but {what}: give yourself the right to write there (chmod, chown), or search in "
        "another folder"
    )
