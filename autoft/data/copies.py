"""Rows that are there more than once: within a split, and in two splits at the same time.

Rows are the same where all their inputs are, by `alike.cell_key`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from autoft.data.alike import cell_key
from autoft.data.finding import Finding, Severity
from autoft.data.rows import EXAMPLES, Cell, RawSplit, quoted

RULE, REPEATED = "copies", "repeated rows"
"""What the findings between and within splits are called."""
Key = tuple[str, ...]


def row_keys(split: RawSplit, inputs: Sequence[str]) -> list[Key]:
    """What makes a row the same one, by row: the key of its cell in each column of `inputs`."""
    keys = [[cell_key(cell) for cell in split.columns[column]] for column in inputs]
    return list(zip(*keys, strict=True))


def copies(
    splits: Mapping[str, RawSplit], inputs: Sequence[str], target: str, *, severity: Severity, fix: str
) -> list[Finding]:
    """What is there twice: between each two of `splits`, then, as a warning, within each of them.

    Args:
        splits: in the order train, validation, test.
        inputs: the columns that make a row the same one.
        target: the column of the label.
        severity: of rows in two splits.
        fix: what to do about these.
    """
    looked = [_Looked(name, split, inputs, target) for name, split in splits.items()]
    found = [_shared(other, own, severity, fix) for other, own in combinations(looked, 2)]
    return [each for each in (*found, *map(_repeated, looked)) if each is not None]


@dataclass(frozen=True)
class _Looked:
    """A split as it is compared."""

    name: str
    split: RawSplit
    inputs: Sequence[str]
    target: str

    @cached_property
    def keys(self) -> list[Key]:
        """What makes a row the same one, by row."""
        return row_keys(self.split, self.inputs)

    @cached_property
    def first(self) -> dict[Key, int]:
        """The first row of each key."""
        return {key: i for i, key in reversed(list(enumerate(self.keys)))}

    @cached_property
    def labeled(self) -> list[tuple[Key, Cell]]:
        """Each row's key with its label."""
        return list(zip(self.keys, self.split.columns[self.target], strict=True))

    def example(self, row: int, other: "_Looked") -> str:
        """The row, and the first one of `other` that is the same, with the text of that: no test row's."""
        same = other.first[self.keys[row]]
        text = quoted([other.split.columns[column][same] for column in self.inputs])
        return f"{self.split.place(row)} is {other.split.place(same)}: {text}"


def _shared(other: _Looked, own: _Looked, severity: Severity, fix: str) -> Finding | None:
    rows = [i for i, key in enumerate(own.keys) if key in other.first]
    if not rows:
        return None
    known, n = set(other.labeled), len(own.keys)
    relabeled = sum(own.labeled[i] not in known for i in rows)
    said = f"{_share(len(rows), n)} {own.name} rows are also in {other.name}"
    if n == len(other.keys) and Counter(own.keys) == Counter(other.keys):
        said = f"{own.name} and {other.name} hold the same {n:,} rows"
    return Finding(
        rule=RULE,
        said=f"{said}{_relabeled(relabeled)}",
        fix=f"A score on rows that were seen before says little of new ones: {fix}",
        counts={own.name: len(rows), "relabeled": relabeled},
        examples=tuple(own.example(i, other) for i in rows[:EXAMPLES]),
        severity=severity,
    )


def _repeated(own: _Looked) -> Finding | None:
    rows = [i for i, key in enumerate(own.keys) if own.first[key] != i]
    if not rows:
        return None
    labels, relabeled = set[tuple[Key, Cell]](), 0
    for i, (key, label) in enumerate(own.labeled):
        relabeled += own.first[key] != i and (key, label) not in labels
        labels.add((key, label))
    n = len(own.keys)
    shown = rows[:EXAMPLES] if own.name != "test" else []  # nobody is to learn what test rows are
    return Finding(
        rule=REPEATED,
        said=f"{_share(len(rows), n)} {own.name} rows repeat an earlier one{_relabeled(relabeled)}",
        fix="Remove them, unless such a row is to count that often",
        counts={own.name: len(rows), "relabeled": relabeled},
        examples=tuple(own.example(i, own) for i in shown),
    )


def _relabeled(rows: int) -> str:
    return f", {rows:,} of them with another label" if rows else ""


def _share(rows: int, size: int) -> str:
    return f"{rows:,} of {size:,}" if rows < size else f"all {size:,}"
