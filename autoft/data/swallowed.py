"""Rows that a stray quote has made part of a cell, which is valid csv: a quoted cell may span lines."""

import re
from collections.abc import Iterator, Mapping, Sequence

from autoft.data.finding import Finding
from autoft.data.rows import listed


def swallowed_rows(
    source: str,
    header: Sequence[str],
    records: Sequence[Sequence[str]],
    lines: Sequence[int],
    wanted: Sequence[str],
    delimiter: str,
) -> Finding | None:
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
    return _finding(source, {lines[i]: n for i, n in found.items()})


def _finding(source: str, rows: Mapping[int, int]) -> Finding:
    """By the line that a row with such a cell begins on, how many lines in it look like rows of their own."""
    n = sum(rows.values())
    lines = "1 line that looks like a row is" if n == 1 else f"{n:,} lines that look like rows are"
    inside = "a quoted cell at line" if len(rows) == 1 else f"{len(rows):,} quoted cells at lines"
    where = listed([f"{line} ({count:,})" for line, count in rows.items()])
    return Finding(
        rule="swallowed rows",
        said=f"{source}: {lines} inside {inside} {where}, so part of its text",
        fix='Look for a stray quote there; one that belongs to the text is doubled, as in ""',
        counts={"rows": n, "cells": len(rows)},
    )


def _lines(record: Sequence[str]) -> Iterator[str]:
    """The lines of those cells that have several."""
    for cell in record:
        lines = re.split("\r\n|\r|\n", cell)
        yield from lines if len(lines) > 1 else ()
