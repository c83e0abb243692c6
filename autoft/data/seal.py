"""The test split under seal: a file of its own that no trial is given, and a log of who opened it and why."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from autoft.data.files import read_table, write_table
from autoft.data.overlap import row_digests
from autoft.errors import DataError

TEST_FILE = "test.arrow"
OPENINGS_FILE = "test_openings.jsonl"
_SKETCH = 64
"""Rows that stand for all in the log: enough to tell one half from nearly all or nearly none."""
_SAME = 0.5
"""The share of rows in common from which on two tests are one. A draw keeps nearly all test rows where a
label is corrected, and one in ten with another seed."""


@dataclass(frozen=True)
class Opening:
    """One time that somebody looked at the test rows."""

    opened: datetime
    """In UTC."""
    reason: str
    digest: str
    """Of the data whose test split was opened."""
    sketch: tuple[int, ...] = ()
    """Which rows these were (`sketch`); empty in entries of before it was kept."""


def sketch(rows: pa.Table) -> tuple[int, ...]:
    """The least `overlap.row_digests` of the rows' inputs: whatever their order, number and labels.

    From two of them follows the share of rows that are in both of two sets (bottom-k sketch: Broder, "On the
    resemblance and containment of documents", 1997).
    """
    return tuple(np.unique(row_digests(rows))[:_SKETCH].tolist())


def _are_same(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    least = sorted({*one, *other})[:_SKETCH]
    return len({*one} & {*other} & {*least}) >= _SAME * len(least)


def move(earlier: Path, folder: Path) -> None:
    """Empties the folder in which a study was sealed before; its log of openings goes along."""
    log = earlier / OPENINGS_FILE
    if log.exists():
        folder.mkdir(parents=True, exist_ok=True)
        os.replace(log, folder / OPENINGS_FILE)
    (earlier / TEST_FILE).unlink(missing_ok=True)


def write_test(rows: pa.Table | None, folder: Path) -> None:
    """Lays the test rows down in `folder`; None takes away those of an earlier request. Keeps the log."""
    if rows is None:
        (folder / TEST_FILE).unlink(missing_ok=True)
    else:
        write_table(rows, folder / TEST_FILE)


def open_test(folder: Path, reason: str) -> pa.Table:
    """The test rows (columns as in rows.arrow), after the opening has been written to the log.

    Raises DataError where there is no test split, and ValueError without a reason.
    """
    if not reason.strip():
        raise ValueError("opening the test split needs a reason")
    path = folder / TEST_FILE
    if not path.exists():
        raise DataError(f"{folder}: there is no test split; set data.split.test above 0 or give a test file")
    rows = read_table(path)
    entry = {
        "opened": datetime.now(UTC).isoformat(),
        "reason": reason,
        "digest": _digest(rows),
        "sketch": [f"{number:016x}" for number in sketch(rows)],
    }
    with (folder / OPENINGS_FILE).open("a", encoding="utf-8") as log:
        log.write(json.dumps(entry) + "\n")
        log.flush()
        os.fsync(log.fileno())  # on record before anybody has seen a row
    return rows


def times_opened(root: Path, rows: pa.Table) -> int:
    """How often these test rows have been opened, by all studies that are sealed below `root`.

    An opening counts where at least half of the rows of both are in each, whatever their labels and the
    training rows; one of before that was kept, where all the data are the same.
    """
    own, digest = sketch(rows), _digest(rows)
    logged = [each for log in root.rglob(OPENINGS_FILE) for each in openings(log.parent)]
    return sum(_are_same(each.sketch, own) if each.sketch else each.digest == digest for each in logged)


def openings(folder: Path) -> tuple[Opening, ...]:
    """Every opening so far, oldest first; empty where the test split was never opened."""
    path = folder / OPENINGS_FILE
    if not path.exists():
        return ()
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return tuple(map(_opening, entries))


def _opening(entry: Mapping[str, Any]) -> Opening:
    numbers = tuple(int(number, 16) for number in entry.get("sketch", ()))
    return Opening(datetime.fromisoformat(entry["opened"]), entry["reason"], entry["digest"], numbers)


def _digest(rows: pa.Table) -> str:
    """Of all the data that the test rows are a part of."""
    return str((rows.schema.metadata or {}).get(b"digest", b""), "utf-8")
