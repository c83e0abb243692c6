"""The test split under seal: a file of its own that no trial is given, and a log of who opened it and why."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from autoft.data.files import read_table, write_table
from autoft.errors import DataError

TEST_FILE = "test.arrow"
OPENINGS_FILE = "test_openings.jsonl"


@dataclass(frozen=True)
class Opening:
    """One time that somebody looked at the test rows."""

    opened: datetime
    """In UTC."""
    reason: str
    digest: str
    """Of the data whose test split was opened."""


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
    digest = (rows.schema.metadata or {}).get(b"digest", b"").decode()
    entry = {"opened": datetime.now(UTC).isoformat(), "reason": reason, "digest": digest}
    with (folder / OPENINGS_FILE).open("a", encoding="utf-8") as log:
        log.write(json.dumps(entry) + "\n")
        log.flush()
        os.fsync(log.fileno())  # on record before anybody has seen a row
    return rows


def times_opened(root: Path, digest: str) -> int:
    """How often the test rows of these data have been opened, by all studies that are sealed below `root`."""
    logs = root.rglob(OPENINGS_FILE)
    return sum(each.digest == digest for log in logs for each in openings(log.parent))


def openings(folder: Path) -> tuple[Opening, ...]:
    """Every opening so far, oldest first; empty where the test split was never opened."""
    path = folder / OPENINGS_FILE
    if not path.exists():
        return ()
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return tuple(Opening(datetime.fromisoformat(e["opened"]), e["reason"], e["digest"]) for e in entries)
