"""Columns of files, such as images and sounds: their bytes, which are read when the data are.

After that no path counts: the bytes are what is digested, compared, stored and sent to other machines.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from autoft.data.rows import listed
from autoft.data.values import as_text
from autoft.errors import DataError


def file_column(
    values: Sequence[object], source: str, column: str, numbers: np.ndarray, unit: str, folder: Path
) -> list[bytes | None]:
    """A column's cells as the bytes of files; None where a cell is empty.

    A cell is a path, relative to `folder` unless it is absolute; or the bytes themselves; or both, as
    `datasets` holds an image or a sound: `{"bytes": ..., "path": ...}`. Bytes that are there count.
    Raises DataError for files that cannot be read or are empty and for other values, all of them together.
    """
    contents: list[bytes | None] = []
    problems: dict[str, list[str]] = {}
    for number, value in zip(numbers, values, strict=True):
        given = _given(value)
        try:
            contents.append(_content(given, folder))
        except _UnreadableError as problem:
            shown = repr(str(given)) if isinstance(given, str | Path) else type(given).__name__
            problems.setdefault(str(problem), []).append(f"{unit} {number} ({shown})")
    if problems:
        said = [
            f"{source}: column `{column}`: {rule} in {len(places)} of {len(numbers)} rows: {listed(places)}"
            for rule, places in problems.items()
        ]
        fix = f"Correct or remove these rows; a path is relative to {folder.absolute()}"
        raise DataError("\n".join([*said, fix]))
    return contents


class _UnreadableError(Exception):
    """What is wrong with a cell."""


def _given(value: object) -> object:
    """The bytes or the path of a cell."""
    if isinstance(value, Mapping) and not value.keys() - {"bytes", "path"}:
        given: object = value.get("path") if value.get("bytes") is None else value["bytes"]
        return given
    return value


def _content(given: object, folder: Path) -> bytes | None:
    if _is_empty(given):
        return None
    try:
        content = (folder / given).read_bytes() if isinstance(given, str | Path) else given
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise _UnreadableError(str(getattr(error, "strerror", None) or error).lower()) from None
    if not isinstance(content, bytes):
        raise _UnreadableError("neither a path nor the bytes of a file")
    if not content:
        raise _UnreadableError("an empty file")
    return content


def _is_empty(given: object) -> bool:
    try:
        return as_text(given) is None
    except TypeError:  # it is not one value: bytes, for example
        return False
