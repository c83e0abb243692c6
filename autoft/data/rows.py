"""Raw rows and where each one came from, so that an error can name the line."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from autoft.data.finding import Finding
from autoft.errors import DataError

TextCell = str | tuple[str, ...] | None
"""A cell of a column of text, or of a column of lists of texts; None is an empty one."""
Cell = TextCell | bytes
"""Likewise, or one of a column of files: the bytes of its file."""


def as_line(cell: Cell) -> str:
    """A cell in one line, without line breaks: the texts of a list one by one; of a file its size."""
    if isinstance(cell, bytes):
        return f"a file of {len(cell):,} bytes"
    text = cell if isinstance(cell, str) else " ".join(cell or ())
    return " ".join(text.split())


def elements(cell: Cell) -> tuple[str, ...]:
    """The texts of a list; none of an empty cell."""
    return cell if isinstance(cell, tuple) else ()


def quoted(cells: Sequence[Cell]) -> str:
    """The cells of a row's inputs, texts in quotes and cut to what an example needs."""
    text = " | ".join(as_line(cell) for cell in cells)
    if any(isinstance(cell, bytes) for cell in cells):
        return text
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}...")


SHOWN = 5
"""How many lines or names an error lists before it says how many more there are."""
EXAMPLES = 3
"""How many rows a finding shows."""
_SHOWN_CHARACTERS = 40


@dataclass(frozen=True)
class RawSplit:
    """The columns of one split that count, each of one kind of cell (`spec.task.Kind`)."""

    source: str
    """The file's name, `org/name[split]` of a hub dataset, or `data["train"]` of a data frame."""
    unit: str
    """What `numbers` count: `line` (1-based, of the file), `row` (1-based) or `iloc` (0-based)."""
    numbers: np.ndarray
    """Where each row stands, int64 [n]."""
    columns: Mapping[str, Sequence[Cell]]
    """By column name, each of length n."""
    findings: tuple[Finding, ...] = ()
    """About the file as a whole."""

    def __len__(self) -> int:
        return len(self.numbers)

    def place(self, row: int) -> str:
        """Where one row stands, as in `line 4 of train.csv`."""
        return f"{self.unit} {self.numbers[row]} of {self.source}"

    def places(self, rows: np.ndarray) -> str:
        """The first few of these rows (a mask or indices), as in `lines 4, 9, 17 and 3 more`."""
        numbers = self.numbers[rows]
        plural = "s" if len(numbers) > 1 and self.unit != "iloc" else ""
        return f"{self.unit}{plural} {listed(numbers.tolist())}"

    def keep(self, rows: np.ndarray) -> "RawSplit":
        """The rows of a mask or of indices."""
        indices = np.arange(len(self))[rows]
        columns = {name: [values[i] for i in indices] for name, values in self.columns.items()}
        return replace(self, numbers=self.numbers[indices], columns=columns)


def listed(items: Sequence[object], quote: str = "") -> str:
    """`a, b, c, d, e and 4 more`."""
    text = ", ".join(f"{quote}{item}{quote}" for item in items[:SHOWN])
    return text if len(items) <= SHOWN else f"{text} and {len(items) - SHOWN} more"


def require_columns(source: str, available: Sequence[str], wanted: Sequence[str], hint: str = "") -> None:
    """Raises DataError that names the missing columns, those the file has, and the nearest ones."""
    repeated = [name for name in wanted if available.count(name) > 1]
    if repeated:
        raise DataError(
            f"{source}: more than one column is named {listed(repeated, '`')}; rename one of them"
        )
    missing = [name for name in wanted if name not in available]
    if not missing:
        return
    folded = {name.strip().casefold(): name for name in available}
    nearest = [
        folded[match]
        for name in missing
        for match in difflib.get_close_matches(name.strip().casefold(), list(folded), n=1)
    ]
    guess = f"; did you mean {listed(nearest, '`')}?" if nearest else ""
    has = ", ".join(available) if available else "no columns"
    raise DataError(f"{source}: no column {listed(missing, '`')}; the file has: {has}{guess}{hint}")
