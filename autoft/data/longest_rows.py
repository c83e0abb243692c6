"""The rows of a rehearsal: few, and those that cost most."""

import numpy as np
import pyarrow as pa

from autoft.data.overlap import inputs_of
from autoft.data.prepare import Rows
from autoft.data.rows import Cell, as_line


def longest(rows: Rows, train: int, validation: int) -> Rows:
    """The `train` longest training rows and `validation` rows of all lengths, or as many as there are.

    Only the tables are shorter: labels and counts stay those of all rows.
    """
    table = rows.tables["validation"]
    first = np.argsort(-_lengths(rows.tables["train"]), kind="stable")[:train]
    spread = np.linspace(0, len(table) - 1, min(validation, len(table))).astype(int)
    evaluated = table.take(np.argsort(_lengths(table), kind="stable")[spread])
    few = {"train": rows.tables["train"].take(first), "validation": evaluated}
    return Rows(**{**vars(rows), "tables": few})


def _lengths(table: pa.Table) -> np.ndarray:
    """Characters or bytes of each row's inputs, float64 [n]: which rows are long, before any is encoded."""
    total: np.ndarray = np.array([sum(map(_size, inputs)) for inputs in inputs_of(table)], dtype=float)
    return total


def _size(cell: Cell) -> int:
    return len(cell if isinstance(cell, bytes | str) else as_line(cell))
