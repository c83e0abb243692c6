"""Rows that are there more than once: within a split, and in two splits at the same time."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from autoft.data.rows import Cell, RawSplit, as_line

_SHOWN = 3
"""Examples of each finding."""
_SHOWN_CHARACTERS = 40

Inputs = tuple[Cell, ...]


@dataclass(frozen=True)
class SharedRows:
    """Rows of one split whose inputs are those of a row of another split."""

    split: str
    """The later one: it is there to judge what was learned or chosen on the other."""
    other: str
    rows: int
    """Rows of `split` that are in `other`."""
    size: int
    """Rows of `split`."""
    same: bool
    """The two splits hold the same inputs, each as often."""
    relabeled: int
    """How many of `rows` have a label that `other` does not give to these inputs."""
    examples: tuple[str, ...]

    def __str__(self) -> str:
        said = f"{_share(self.rows, self.size)} {self.split} rows are also in {self.other}"
        if self.same:
            said = f"{self.split} and {self.other} hold the same {self.size:,} rows"
        relabeled = f", {self.relabeled:,} of them with another label" if self.relabeled else ""
        return (
            f"{said}{relabeled} ({'; '.join(self.examples)}). A score on rows that were seen before says "
            "little of new ones: keep each row in one split"
        )


@dataclass(frozen=True)
class RepeatedRows:
    """Rows whose inputs are those of an earlier row of the same split."""

    split: str
    rows: int
    size: int
    relabeled: int
    """How many of `rows` have a label that no earlier row with these inputs has."""
    examples: tuple[str, ...]

    def __str__(self) -> str:
        relabeled = f", {self.relabeled:,} of them with another label" if self.relabeled else ""
        examples = f" ({'; '.join(self.examples)})" if self.examples else ""
        return (
            f"{_share(self.rows, self.size)} {self.split} rows repeat an earlier one{relabeled}{examples}. "
            "Remove them, unless such a row is to count that often"
        )


def repeated_rows(
    splits: Mapping[str, RawSplit], inputs: Sequence[str], target: str
) -> list[SharedRows | RepeatedRows]:
    """What is repeated exactly: between each two of `splits`, then within each of them.

    Args:
        splits: in the order train, validation, test.
        inputs: the columns that make a row the same one.
        target: the column of the label.
    """
    looked = [_Looked(name, split, inputs, target) for name, split in splits.items()]
    found = [_shared(other, split) for other, split in combinations(looked, 2)]
    return [each for each in (*found, *map(_repeated, looked)) if each is not None]


@dataclass(frozen=True)
class _Looked:
    """A split as it is compared."""

    name: str
    split: RawSplit
    inputs: Sequence[str]
    target: str

    @cached_property
    def keys(self) -> list[Inputs]:
        """What makes a row the same one, by row."""
        return list(zip(*(self.split.columns[column] for column in self.inputs), strict=True))

    @cached_property
    def first(self) -> dict[Inputs, int]:
        """The first row of each key."""
        return {key: i for i, key in reversed(list(enumerate(self.keys)))}

    @cached_property
    def labeled(self) -> list[tuple[Inputs, Cell]]:
        """Each row's key with its label."""
        return list(zip(self.keys, self.split.columns[self.target], strict=True))

    def example(self, row: int, other: "_Looked") -> str:
        """The row, and the first one of `other` that is the same."""
        key = self.keys[row]
        text = " | ".join(as_line(part) for part in key)
        cut = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
        places = [
            f"{of.split.unit} {of.split.numbers[i]} of {of.split.source}"
            for of, i in ((self, row), (other, other.first[key]))
        ]
        return f"{places[0]} is {places[1]}: {cut!r}"


def _shared(other: _Looked, own: _Looked) -> SharedRows | None:
    rows = [i for i, key in enumerate(own.keys) if key in other.first]
    if not rows:
        return None
    known = set(other.labeled)
    return SharedRows(
        split=own.name,
        other=other.name,
        rows=len(rows),
        size=len(own.keys),
        same=len(own.keys) == len(other.keys) and Counter(own.keys) == Counter(other.keys),
        relabeled=sum(own.labeled[i] not in known for i in rows),
        examples=tuple(own.example(i, other) for i in rows[:_SHOWN]),
    )


def _repeated(own: _Looked) -> RepeatedRows | None:
    rows = [i for i, key in enumerate(own.keys) if own.first[key] != i]
    if not rows:
        return None
    labels, relabeled = set[tuple[Inputs, Cell]](), 0
    for i, (key, label) in enumerate(own.labeled):
        relabeled += own.first[key] != i and (key, label) not in labels
        labels.add((key, label))
    shown = rows[:_SHOWN] if own.name != "test" else []  # nobody is to learn what test rows are
    examples = tuple(own.example(i, own) for i in shown)
    return RepeatedRows(own.name, len(rows), len(own.keys), relabeled, examples)


def _share(rows: int, size: int) -> str:
    return f"{rows:,} of {size:,}" if rows < size else f"all {size:,}"
