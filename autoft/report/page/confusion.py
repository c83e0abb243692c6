"""Which labels a model takes for which, as parts of a section."""

from collections.abc import Sequence

from autoft.report.page.blocks import Matrix, Part, Table

MOST_LABELS = 20
"""Of more labels only the pairs that are confused are shown."""
SHOWN = 20
"""Pairs in the table."""


def confusion_parts(names: Sequence[str], counts: Sequence[Sequence[int]]) -> list[Part]:
    """The matrix, and the pairs that are confused, most often first; either only if it tells something.

    Args:
        names: of the labels.
        counts: [given label][answered label], rows.
    """
    numbers = range(len(names))
    pairs = [(counts[i][j], i, j) for i in numbers for j in numbers if i != j and counts[i][j]]
    rows = [
        (f"{count:,}", names[given], names[taken])
        for count, given, taken in sorted(pairs, key=lambda each: (-each[0], each[1], each[2]))[:SHOWN]
    ]
    parts: list[Part] = []
    if len(names) <= MOST_LABELS:
        parts.append(Matrix("Given labels, by what the winner says", names, counts))
    if rows:
        parts.append(Table("Most often confused", ("rows", "labeled", "answered"), rows, (0,)))
    return parts
