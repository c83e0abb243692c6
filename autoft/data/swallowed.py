"""Rows that a stray quote has made part of a cell, which is valid csv: a quoted cell may span lines."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autoft.data.rows import listed


@dataclass(frozen=True)
class SwallowedRows:
    """Cells of a file that hold lines which look like rows of their own."""

    source: str
    lines: tuple[int, ...]
    """The line that each row with such a cell begins on, 1-based."""
    rows: tuple[int, ...]
    """How many lines of that row look like rows of their own."""

    def __str__(self) -> str:
        n, cells = sum(self.rows), len(self.lines)
        where = [f"{line} ({rows:,})" for line, rows in zip(self.lines, self.rows, strict=True)]
        rows = "1 line that looks like a row is" if n == 1 else f"{n:,} lines that look like rows are"
        inside = "a quoted cell at line" if cells == 1 else f"{cells:,} quoted cells at lines"
        return (
            f"{self.source}: {rows} inside {inside} {listed(where)}, so part of its text. Look for a stray "
            'quote there; one that belongs to the text is doubled, as in ""'
        )


def swallowed_rows(
    source: str,
    header: Sequence[str],
    records: Sequence[Sequence[str]],
    lines: Sequence[int],
    wanted: Sequence[str],
    delimiter: str,
) -> SwallowedRows | None:
    """The cells of `records` with lines which look like rows; None where there is no such cell.

    A line looks like a row if it has as many fields as the header and, in a `wanted` column, a value that
    other rows have in that column: a label, above all. Text of several lines hardly ever looks so.

    Args:
        source: the file's name.
        header: the columns.
        records: the rows, each with as many fields as the header.
        lines: where each of them begins, 1-based.
        wanted: the columns that are read.
        delimiter: what separates fields.
    """
    at = [header.index(name) for name in wanted]
    spanning = [i for i, record in enumerate(records) if any("\n" in cell or "\r" in cell for cell in record)]
    if not spanning or len(header) < 2:
        return None
    known = {i: {record[i].strip() for record in records} - {""} for i in at}

    def is_row(line: str) -> bool:
        fields = [field.strip('" ') for field in line.split(delimiter)]
        return len(fields) == len(header) and any(fields[i] in known[i] for i in at)

    counts = {i: sum(map(is_row, _lines(records[i]))) for i in spanning}
    found = {i: n for i, n in counts.items() if n}
    if not found:
        return None
    return SwallowedRows(source, tuple(lines[i] for i in found), tuple(found.values()))


def _lines(record: Sequence[str]) -> Iterator[str]:
    """The lines of those cells that have several."""
    for cell in record:
        lines = re.split("\r\n|\r|\n", cell)
        yield from lines if len(lines) > 1 else ()
