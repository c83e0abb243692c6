"""Which rows of one study are rows of another, however they are written."""

import json
from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from autoft.data.alike import cell_key
from autoft.data.rows import Cell, as_line

if TYPE_CHECKING:
    import pyarrow as pa

ROW_DIGESTS = "autoft row digests 1"
"""How `row_digests` makes them. Another name for another way: digests of two ways do not compare."""


def inputs_of(rows: "pa.Table") -> list[tuple[Cell, ...]]:
    """Each row's inputs, one cell a column: two for a pair. Lists of texts are lists here."""
    columns = [rows.column(name).to_pylist() for name in rows.column_names if name.startswith("input_")]
    return list(zip(*columns, strict=True))


def texts_of(rows: "pa.Table") -> list[tuple[str, ...]]:
    """Each row's inputs as a person reads them: tokens are joined by spaces, of a file its size is said."""
    return [tuple(_text(cell) for cell in inputs) for inputs in inputs_of(rows)]


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else as_line(cell)


def leaked(test: "pa.Table", own: Sequence["pa.Table"], earlier: "pa.Table") -> list[tuple[str, ...]]:
    """The inputs (`texts_of`) of those `test` rows that are among the rows of an `earlier` study, once a row.

    Rows are the same where all their inputs are, by `cell_key`; labels do not count. Rows that are also
    among the study's `own` training or validation rows are left out: what the earlier study has seen of
    them, this one sees itself. So a study on the same rows with the same splits leaks nothing.
    """
    tested = _keys(test)
    shared = set(tested) & set(_keys(earlier))
    if shared:
        shared -= {key for table in own for key in _keys(table)}
    return [inputs for inputs, key in zip(texts_of(test), tested, strict=True) if key in shared]


def row_digests(rows: "pa.Table") -> np.ndarray:
    """A number a row, uint64 [n]: the same number for rows that are the same, as `leaked` has it.

    By chance a row has the number of one of a million others once in 18 trillion times (2^64 / 10^6).
    """
    keys = (json.dumps(key).encode() for key in _keys(rows))
    return np.array([int.from_bytes(blake2b(key, digest_size=8).digest(), "big") for key in keys], np.uint64)


def _keys(rows: "pa.Table") -> list[tuple[str, ...]]:
    return [tuple(map(cell_key, inputs)) for inputs in inputs_of(rows)]
