"""The rows of a rehearsal: few, and those that cost most."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autoft.data.prepare import Rows


@dataclass(frozen=True)
class FewRows:
    """Some of a study's rows."""

    rows: Rows
    """With the facts of all; only its tables are shorter."""
    evaluated: int
    """How many validation rows there are."""
    share: float
    """How long a training row is, on average, of the average of these."""


def longest(rows: Rows, train: int, validation: int) -> FewRows:
    """The `train` longest training rows and `validation` rows of all lengths, or as many as there are."""
    lengths, table = _lengths(rows.tables["train"]), rows.tables["validation"]
    first = np.argsort(-lengths, kind="stable")[:train]
    spread = np.linspace(0, len(table) - 1, min(validation, len(table))).astype(int)
    evaluated = table.take(np.argsort(_lengths(table), kind="stable")[spread])
    few = {"train": rows.tables["train"].take(first), "validation": evaluated}
    share = float(lengths.mean() / max(1.0, lengths[first].mean()))
    return FewRows(Rows(**{**vars(rows), "tables": few}), len(spread), share)


def _lengths(table: pa.Table) -> np.ndarray:
    """Characters of each row's inputs, float64 [n]: which rows are long, before anything is tokenized."""
    texts = (table.column(name) for name in table.column_names if name.startswith("input_"))
    total: np.ndarray = np.sum([pc.utf8_length(text).to_numpy() for text in texts], axis=0, dtype=float)
    return total
