"""Which rows of one study are rows of another, however they are written."""

import json
from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from autoft.data.alike import normalized

if TYPE_CHECKING:
    import pyarrow as pa

ROW_DIGESTS = "autoft row digests 1"
"""How `row_digests` makes them. Another name for another way: digests of two ways do not compare."""


def texts_of(rows: "pa.Table") -> list[tuple[str, ...]]:
    """Each row's inputs, one text a column: two for a pair; tokens are joined by spaces."""
    columns = [rows.column(name).to_pylist() for name in rows.column_names if name.startswith("input_")]
    texts = [[cell if isinstance(cell, str) else " ".join(cell) for cell in column] for column in columns]
    return list(zip(*texts, strict=True))


def leaked(test: "pa.Table", own: Sequence["pa.Table"], earlier: "pa.Table") -> list[tuple[str, ...]]:
    """The inputs of those `test` rows that are among the rows of an `earlier` study, once a row.

    Rows are the same where all their inputs are, by `normalized`; labels do not count. Rows that are also
    among the study's `own` training or validation rows are left out: what the earlier study has seen of
    them, this one sees itself. So a study on the same rows with the same splits leaks nothing.
    """
    tested = [(inputs, _key(inputs)) for inputs in texts_of(test)]
    shared = {key for _, key in tested} & {_key(inputs) for inputs in texts_of(earlier)}
    if shared:
        shared -= {_key(inputs) for table in own for inputs in texts_of(table)}
    return [inputs for inputs, key in tested if key in shared]


def row_digests(rows: "pa.Table") -> np.ndarray:
    """A number a row, uint64 [n]: the same number for rows that are the same, as `leaked` has it.

    By chance a row has the number of one of a million others once in 18 trillion times (2^64 / 10^6).
    """
    keys = (json.dumps(_key(inputs)).encode() for inputs in texts_of(rows))
    return np.array([int.from_bytes(blake2b(key, digest_size=8).digest(), "big") for key in keys], np.uint64)


def _key(inputs: Sequence[str]) -> tuple[str, ...]:
    return tuple(normalized(text) for text in inputs)
