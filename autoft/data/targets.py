"""What is learned of a target column: what `prepare` asks of a task, which lies above the data."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa

from autoft.data.finding import Finding
from autoft.data.rows import Cell, RawSplit
from autoft.spec.task import TaskSpec

Targets = Mapping[str, Any]
"""What was learned of the target on the training rows, as JSON values: label names, tags, a scale."""


class TargetRules(Protocol):
    """How a task reads, learns and writes its target column. Errors name the rows (`RawSplit.places`)."""

    spec: TaskSpec
    """Its declaration, which says what the cells of the columns are."""

    def clean_target(self, split: RawSplit, column: str, inputs: Sequence[str]) -> Sequence[Cell]:
        """The column's cells [n] as they count: without white space around a label, for example.

        Raises DataError for a cell that is no target of this task, or does not fit the row's `inputs`.
        """

    def fit_targets(self, splits: Mapping[str, RawSplit], column: str) -> Targets:
        """Learned on `splits["train"]` alone, and checked on the others; cells are clean.

        Raises DataError where the task cannot be learned from them.
        """

    def strata(self, cells: Sequence[Cell]) -> Sequence[str | None] | None:
        """A name for each row [n], whose shares every split is to have; None if there is nothing to keep.

        A row whose name is None stays in train.
        """

    def target_array(self, cells: Sequence[Cell], targets: Targets) -> pa.Array:
        """The column `target` of rows.arrow [n], in numbers."""

    def occurrences(self, cells: Sequence[Cell], targets: Targets) -> Mapping[str, int]:
        """How often each label, tag or range of numbers occurs, all of `targets`, for a table."""

    def target_findings(self, column: str, occurrences: Mapping[str, int]) -> Sequence[Finding]:
        """What is no error but should be known, such as two labels that look alike."""
