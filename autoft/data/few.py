"""The rows of a rehearsal: few, and those that cost most."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
    texts = (table.column(name) for name in table.column_names if name.startswith("input_"))
    total: np.ndarray = np.sum([pc.utf8_length(text).to_numpy() for text in texts], axis=0, dtype=float)
    return total
