"""The rows of a rehearsal: few, and those that cost most."""

import numpy as np
import pyarrow as pa

from autoft.data.overlap import texts_of
from autoft.data.prepare import Rows


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
    """Characters of each row's inputs, float64 [n]: which rows are long, before anything is tokenized."""
    total: np.ndarray = np.array([sum(map(len, texts)) for texts in texts_of(table)], dtype=float)
    return total
