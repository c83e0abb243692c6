"""Prints text unchanged: labels, names, paths and errors of a user are never taken for rich's markup
(`[red]`), emoji codes (`:smile:`) or terminal commands."""

import os
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

_CONTROLS = (
    range(0x20),
    range(0x7F, 0xA0),
    range(0x202A, 0x202F),  # these turn the direction of writing
    range(0x2066, 0x206A),
    range(0xD800, 0xE000),  # halves of characters: bytes of a file's name that are not UTF-8
)
_ESCAPES = {code: ascii(chr(code))[1:-1] for codes in _CONTROLS for code in codes if chr(code) not in "\n\t"}


WIDE = 10_000
"""Characters; more than any table has."""


def new_console(file: TextIO | None = None) -> Console:
    """A console on `file` or standard output, for `say` and the tables below; rich changes nothing in a text.

    It is as wide as the terminal; in a file or a pipe it is wide enough for every line, because rich would
    use 80 columns there and cut what does not fit. COLUMNS is respected.
    """
    console = Console(file=file, markup=False, emoji=False, highlight=False)
    if not console.is_terminal and not console.is_jupyter and "COLUMNS" not in os.environ:
        console.width = WIDE
    return console


def say(console: Console, text: str, style: str = "", *, wrap: bool = False) -> None:
    """Prints `text`; long lines are wrapped only with `wrap`, so that they can be searched and copied."""
    console.print(literal(text, style), soft_wrap=not wrap)


def literal(text: str, style: str = "") -> Text:
    """`text` unchanged, except that control characters become escapes such as `\\x1b`."""
    return Text(visible(text), style)


def visible(text: str) -> str:
    """`text` with escapes for control characters."""
    return text.translate(_ESCAPES)


def new_table(*headings: str, left: tuple[str, ...] = ()) -> Table:
    """A table without lines. Columns are aligned to the right, except those in `left`."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        table.add_column(literal(heading), justify="left" if heading in left else "right")
    return table


def add_row(table: Table, *cells: str) -> None:
    """Adds a row of cells, whose text is unchanged."""
    table.add_row(*map(literal, cells))


def one_line(text: str) -> str:
    """`text` with line breaks and tabs as escapes, for a name in a table, say."""
    return text.replace("\n", r"\n").replace("\t", r"\t")
