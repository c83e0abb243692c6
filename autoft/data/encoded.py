"""Rows as a model takes them: encoded once, kept as Arrow, mapped into every worker of the node.

Splits, and whatever else is a choice of rows, are index arrays into them.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from autoft.data.files import hasher, locked, read_table, write_table
from autoft.errors import DataError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Ragged:
    """Rows of different lengths, end to end: row i is values[offsets[i]:offsets[i + 1]]."""

    values: np.ndarray
    """[total]."""
    offsets: np.ndarray
    """int64 [n + 1], from 0."""
    fill: int = 0
    """The padding value in a batch."""

    @property
    def lengths(self) -> np.ndarray:
        """Of each row, int64 [n]."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def longest(self, rows: np.ndarray) -> int:
        """The most values that one of `rows` [b] has."""
        return int((self.offsets[np.asarray(rows) + 1] - self.offsets[rows]).max())

    def at(self, rows: np.ndarray) -> np.ndarray:
        """Where the values of `rows` [b] stand, one row after the other; int64."""
        starts, lengths = self.offsets[rows], self.offsets[np.asarray(rows) + 1] - self.offsets[rows]
        ends = np.cumsum(lengths)
        places: np.ndarray = np.arange(lengths.sum()) + np.repeat(starts - (ends - lengths), lengths)
        return places

    def take(self, rows: np.ndarray) -> "Ragged":
        """The rows at `rows` [b], in that order."""
        lengths = self.offsets[np.asarray(rows) + 1] - self.offsets[rows]
        return Ragged(self.values[self.at(rows)], _offsets(lengths), self.fill)

    def padded(self, rows: np.ndarray, width: int | None = None) -> np.ndarray:
        """The rows at `rows` as [b, width], each filled up with `fill` on the right.

        None is as wide as the longest of them.
        """
        return self._grid(rows, width, self.values[self.at(rows)], self.fill)

    def places(self, rows: np.ndarray, width: int) -> np.ndarray:
        """Where the values of `padded` stand: int64 [b, width], and one past all values for the fill."""
        return self._grid(rows, width, self.at(rows), len(self.values))

    def _grid(self, rows: np.ndarray, width: int | None, inside: np.ndarray, outside: int) -> np.ndarray:
        lengths = self.offsets[np.asarray(rows) + 1] - self.offsets[rows]
        grid = np.full((len(rows), int(lengths.max()) if width is None else width), outside, inside.dtype)
        grid[np.arange(grid.shape[1]) < lengths[:, None]] = inside
        return grid


Array = Ragged | np.ndarray
"""A value for each row: of any length, or all of one shape, [n, ...]."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """n rows as numbers. Arrays are of whole or floating numbers; bool is not stored."""

    inputs: Mapping[str, Array]
    """By the name of the model's argument; of ragged ones, all have the lengths of the rows."""
    targets: Mapping[str, Array]
    """What a task's loss and metrics take, by the task's own names; empty where rows have no target."""
    lengths: np.ndarray
    """The size of each row as the model computes it, its tokens for example; int64 [n]."""

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, rows: np.ndarray) -> "Encoded":
        """The rows at `rows` [b], in that order."""
        return Encoded(_taken(self.inputs, rows), _taken(self.targets, rows), self.lengths[rows])


def taken(array: Array, rows: np.ndarray) -> Array:
    """The rows at `rows` [b] of one array."""
    return array.take(rows) if isinstance(array, Ragged) else array[rows]


def stored(path: Path, encode: Callable[[], Encoded]) -> Encoded:
    """The rows in the file at `path`, which `encode` makes if need be.

    The path is named by all that decides the content. One process of the node encodes while the others wait;
    a damaged file is noticed by its digest and made again. The arrays are read-only views of the file.
    """
    found = _open(path)
    if found is None:
        with locked(path):
            found = _open(path)
            if found is None:
                if path.exists():
                    _LOG.warning("%s: the file is damaged; the rows are encoded again", path.name)
                _write(encode(), path)
                found = _open(path)
    if found is None:
        raise DataError(f"{path}: cannot be read right after it was written; is the disk full or broken?")
    return found


def _taken(arrays: Mapping[str, Array], rows: np.ndarray) -> dict[str, Array]:
    return {name: taken(array, rows) for name, array in arrays.items()}


def _offsets(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _columns(encoded: Encoded) -> Iterator[tuple[str, Array]]:
    for name, array in encoded.inputs.items():
        yield f"input {name}", array
    for name, array in encoded.targets.items():
        yield f"target {name}", array
    yield "length", encoded.lengths


def _write(encoded: Encoded, path: Path) -> None:
    columns: dict[str, pa.Array] = {}
    about: dict[str, dict[str, Any]] = {}
    for name, array in _columns(encoded):
        if isinstance(array, Ragged):
            columns[name] = pa.LargeListArray.from_arrays(array.offsets, array.values)
            about[name] = {"fill": array.fill}
        else:
            width = int(np.prod(array.shape[1:]))
            flat = pa.array(np.ascontiguousarray(array).ravel())  # no bool: Arrow packs its bits
            columns[name] = pa.FixedSizeListArray.from_arrays(flat, width) if array.ndim > 1 else flat
            about[name] = {"shape": list(array.shape[1:])}
    metadata = {"arrays": json.dumps(about), "digest": _digest(encoded)}
    write_table(pa.table(columns).replace_schema_metadata(metadata), path)


def _open(path: Path) -> Encoded | None:
    """None where the file is missing, cut short, or not what was written."""
    try:
        table = read_table(path)
        about: dict[str, dict[str, Any]] = json.loads(table.schema.metadata[b"arrays"])
        arrays = {name: _array(table.column(name).chunk(0), how) for name, how in about.items()}
        lengths = arrays.pop("length")
        assert isinstance(lengths, np.ndarray)
        encoded = Encoded(_named(arrays, "input "), _named(arrays, "target "), lengths)
        return encoded if _digest(encoded) == table.schema.metadata[b"digest"].decode() else None
    except (DataError, pa.ArrowException, OSError, KeyError, TypeError, ValueError, IndexError):
        return None


def _array(column: pa.Array, how: Mapping[str, Any]) -> Array:
    if "fill" in how:
        values = column.values.to_numpy(zero_copy_only=True)
        return Ragged(values, column.offsets.to_numpy(zero_copy_only=True), how["fill"])
    flat = column.flatten() if how["shape"] else column
    array: np.ndarray = flat.to_numpy(zero_copy_only=True).reshape(len(column), *how["shape"])
    return array


def _named(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _digest(encoded: Encoded) -> str:
    digest = hasher()
    for name, array in _columns(encoded):
        parts = (array.values, array.offsets) if isinstance(array, Ragged) else (array,)
        digest.update(name.encode())
        for part in parts:
            digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()
