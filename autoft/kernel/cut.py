"""Rows that are longer than `max_length`: how many, and which length would keep them whole."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from autoft.data.finding import Finding
from autoft.data.prepare import Rows
from autoft.kernel.model_summary import ModelSummary
from autoft.kernel.pretrained import load_processor, resolve
from autoft.spec.study import StudySpec
from autoft.tasks.find import find_task

MOST_ROWS = 20_000
"""As many are looked at, evenly spread: more would hardly change a share, and take seconds."""
MOST_OF_THEM = 0.95
"""The share of rows for which a length is named besides the one for all."""
_NO_LIMIT = 2**31 - 1


@dataclass(frozen=True, eq=False)
class _CutRows:
    """Rows that lose their end, at the largest `max_length` of a space."""

    columns: tuple[str, ...]
    """The text column, or both of a pair."""
    model: str | None
    """Whose tokenizer counts; None where the space has one model."""
    max_length: int
    lengths: np.ndarray
    """Tokens of each row that was looked at, special tokens included, int64 [n]."""
    alone: tuple[np.ndarray, ...]
    """Of a pair the tokens of each column by itself, int64 [n] each; else empty."""
    rows: int
    """Training and validation rows that there are."""
    limit: int | None
    """Tokens that the model takes at most; None where it takes any number."""

    def finding(self) -> Finding:
        n, cut = len(self.lengths), int((self.lengths > self.max_length).sum())
        looked = f" looked at ({self.rows:,} in all)" if n < self.rows else ""
        of = f" of {self.model}" if self.model else ""
        return Finding(
            rule="cut rows",
            said=f"{' and '.join(f'`{column}`' for column in self.columns)}: {cut:,} of {n:,} rows{looked} "
            f"({cut / n:.1%}) have more tokens{of} than max_length {self.max_length} and are cut there",
            fix=self._keeping(),
            counts={"cut": cut, "rows": n, "max_length": self.max_length, "longest": int(self.lengths.max())},
            examples=self._columns(),
        )

    def _columns(self) -> tuple[str, ...]:
        """What each column of a pair has by itself."""
        return tuple(
            f"`{column}` alone in {(lengths > self.max_length).mean():.1%}, with up to {lengths.max():,}"
            for column, lengths in zip(self.columns, self.alone, strict=False)
        )

    def _keeping(self) -> str:
        """Which `max_length` would keep most of them and all, as far as the model takes it."""
        most = int(np.quantile(self.lengths, MOST_OF_THEM, method="higher"))
        every, limit = int(self.lengths.max()), self.limit
        lengths = {most: f"{MOST_OF_THEM:.0%} of the rows", every: "all of them"}
        named = {length: kept for length, kept in lengths.items() if limit is None or length <= limit}
        if limit is not None and every > limit:
            if limit <= self.max_length:
                return f"The model takes no more than {limit:,}: shorten the texts, or choose another model"
            named[limit] = f"{(self.lengths <= limit).mean():.1%} and is the most that the model takes"
        longer = {length: kept for length, kept in named.items() if length > self.max_length}
        said = ", ".join(f"with {length} it is {kept}" for length, kept in longer.items())
        return f"Raise space.max_length to keep rows whole: {said}"


def cut_rows(spec: StudySpec, rows: Rows, models: Sequence[ModelSummary]) -> list[Finding]:
    """What is cut of the training and validation rows at the largest `max_length`, for each model.

    Nothing where the task has no `max_length`.

    Args:
        spec: the request.
        rows: checked and split.
        models: facts of `spec.models`, in their order.
    """
    max_length, task = spec.max_length, find_task(spec.task)
    if max_length is None:
        return []
    table = pa.concat_tables([rows.tables["train"], rows.tables["validation"]])
    if len(table) > MOST_ROWS:
        table = table.take(np.linspace(0, len(table) - 1, MOST_ROWS).astype(int))
    columns = [f"input_{i}" for i in range(rows.n_inputs)]
    parts = [table.select([column, "target"]) for column in columns] if len(columns) > 1 else []
    whole = task.spec.cut_at(spec.own_values, _NO_LIMIT)
    found = []
    for ref, summary in zip(spec.models, models, strict=True):
        processor = load_processor(resolve(ref), task)
        lengths = task.encode(table, processor, rows.targets, whole).lengths
        if (lengths <= max_length).all():
            continue
        alone = tuple(task.encode(part, processor, rows.targets, whole).lengths for part in parts)
        found.append(
            _CutRows(
                columns=spec.data.inputs,
                model=ref.name if len(spec.models) > 1 else None,
                max_length=max_length,
                lengths=lengths,
                alone=alone,
                rows=rows.size("train") + rows.size("validation"),
                limit=summary.token_limit,
            ).finding()
        )
    return found
