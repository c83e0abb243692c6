"""What a file or a folder of split files holds, before anybody has said which column is for what."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from autoft.data.formats import Columns, read_columns
from autoft.data.load import require_path, split_files
from autoft.data.rows import TextCell
from autoft.data.values import list_column, text_column
from autoft.errors import DataError

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?|[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2,4}( .*)?")
_LINK = re.compile(r"(https?://|www\.)\S+")
_FILE = re.compile(r"(?i)[^\n]+\.(png|jpe?g|gif|bmp|tiff?|webp|wav|mp3|flac|ogg|m4a)")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[^\W\d_a-zA-Z]+")
_WIDE = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Letters of languages that write no space between words."""


@dataclass(frozen=True)
class Column:
    """A column, and what its cells have in common."""

    name: str
    cells: Sequence[TextCell]
    """All of them text, or all of them lists of texts; None is an empty one; [n]."""

    @cached_property
    def filled(self) -> list[str | tuple[str, ...]]:
        """The cells that are not empty."""
        return [cell for cell in self.cells if cell is not None]

    @cached_property
    def holds_lists(self) -> bool:
        """Whether its cells are lists of texts."""
        return any(isinstance(cell, tuple) for cell in self.cells)

    @cached_property
    def texts(self) -> list[str]:
        """The cells that are not empty, without white space around; no lists."""
        return [cell.strip() for cell in self.filled if isinstance(cell, str)]

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each text occurs; of lists, each element."""
        return Counter(self.texts or [each for cell in self.filled for each in cell])

    @cached_property
    def words(self) -> frozenset[str]:
        """Those of its name, in small letters: `customerId` is of `customer` and `id`."""
        return frozenset(word.casefold() for word in _WORD.findall(self.name))

    @cached_property
    def numbers(self) -> np.ndarray | None:
        """Its cells as float64; None where one is no number."""
        if not self.texts or not all(_NUMBER.fullmatch(text) for text in self.texts):
            return None
        return np.array(self.texts, np.float64)

    def is_mostly(self, pattern: re.Pattern[str]) -> bool:
        """Whether nine in ten of its texts are of that form."""
        return bool(self.texts) and sum(map(bool, map(pattern.fullmatch, self.texts))) > 0.9 * len(self.texts)

    @property
    def is_dates(self) -> bool:
        """Whether it holds dates."""
        return self.is_mostly(_DATE)

    @property
    def is_links(self) -> bool:
        """Whether it holds addresses of web pages."""
        return self.is_mostly(_LINK)

    @property
    def is_files(self) -> bool:
        """Whether it holds paths of images or sounds."""
        return self.is_mostly(_FILE)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Words of each cell, int64 [n]; a letter of a script without spaces counts as one."""
        return np.array([_words_of(cell) for cell in self.cells], np.int64)

    @cached_property
    def is_prose(self) -> bool:
        """Whether it holds texts that somebody wrote: several words, hardly ever the same ones."""
        if not self.texts or self.numbers is not None or self.is_dates or self.is_links:
            return False
        median = float(np.median(self.lengths[self.lengths > 0]))
        often_new = len(self.counts) > 0.5 * len(self.texts)
        return (median >= 2 and often_new) or (median >= 5 and len(self.counts) > 0.1 * len(self.texts))

    @property
    def rows_each(self) -> float:
        """Rows of each different text, in the mean."""
        return len(self.filled) / max(1, len(self.counts))


@dataclass(frozen=True)
class Look:
    """A file, or the split files of a folder."""

    path: Path
    sizes: dict[str, int]
    """Rows by split; of a file `train` alone, because its splits are drawn."""
    columns: tuple[Column, ...]
    """Those that are in all files, the rows of one split after the other."""
    left_out: dict[str, str]
    """Columns that cannot be used, and why."""

    @property
    def rows(self) -> int:
        """Of all splits."""
        return sum(self.sizes.values())


def look(path: Path) -> Look:
    """Reads all of a file, or of the split files of a folder.

    Raises DataError for what is missing or cannot be read, and for a first line of names that is a row.
    """
    require_path(path)
    files = split_files(path) if path.is_dir() else {"train": path}
    read = {split: read_columns(file) for split, file in files.items()}
    for split, file in files.items():
        if file.suffix.lower() in (".csv", ".tsv"):
            _require_header(file.name, read[split])
    columns, left_out = [], {}
    for name in dict.fromkeys(name for found in read.values() for name in found.cells):
        lacking = [files[split].name for split, found in read.items() if name not in found.cells]
        if lacking:
            left_out[name] = f"not in {', '.join(lacking)}"
        elif (column := _column(name, list(read.values()))) is None:
            left_out[name] = "neither texts nor lists of texts"
        else:
            columns.append(column)
    sizes = {split: len(found.numbers) for split, found in read.items()}
    return Look(path, sizes, tuple(columns), left_out)


def _require_header(file: str, found: Columns) -> None:
    """Raises DataError where a name looks like a cell of its own column, and none like a name."""
    columns = [column for name in found.cells if (column := _column(name, [found])) is not None]
    like_cells = {column.name: _is_like_a_cell(column) for column in columns}
    if True not in like_cells.values() or False in like_cells.values():
        return
    again = max(columns, key=lambda column: column.counts[column.name.strip()])
    times = again.counts[again.name.strip()]
    name = next(name for name, is_like in like_cells.items() if is_like)
    why = (
        f"`{again.name}` is in {times:,} cells below it" if times else f"`{name}` is like the cells below it"
    )
    raise DataError(
        f"{file}: the first line must be the columns' names, and it looks like a row: {why}; write a line of "
        "names above it, such as: text,label"
    )


def _is_like_a_cell(column: Column) -> bool | None:
    """Whether its name may stand in the column; None where nobody can tell."""
    name = column.name.strip()
    if name in column.counts:
        return True
    if column.numbers is not None:
        return _NUMBER.fullmatch(name) is not None
    for form in (_DATE, _LINK, _FILE):
        if column.is_mostly(form):
            return form.fullmatch(name) is not None
    if not column.is_prose:
        return None
    length, short = _words_of(name), float(np.quantile(column.lengths[column.lengths > 0], 0.05))
    if name.endswith((".", "?", "!")) or length >= max(3, short):
        return True
    return False if length == 1 or length < short else None


def _words_of(cell: TextCell) -> int:
    if isinstance(cell, str):
        return len(cell.split()) + len(_WIDE.findall(cell))
    return len(cell or ())


def _column(name: str, files: Sequence[Columns]) -> Column | None:
    """Lists where all cells are; else text; None where there is something else in a cell."""
    for read in (list_column, text_column):
        try:
            cells: list[TextCell] = []
            for found in files:
                cells += read(found.cells[name], "", name, found.numbers, found.unit)
        except DataError:
            continue
        return Column(name, cells)
    return None
