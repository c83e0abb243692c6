"""What the page is made of: sections of texts, tables, bars and plots, which the template draws.

Texts are plain: the template escapes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Percent = float
"""Of a plot's width from the left, or of its height from the top."""


@dataclass(frozen=True)
class Table:
    """Rows below headings."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[int] = ()
    """Columns that are aligned to the right."""


@dataclass(frozen=True)
class Matrix:
    """How often each of the columns meets each of the rows."""

    caption: str
    names: Sequence[str]
    counts: Sequence[Sequence[int]]
    """[row][column]."""


@dataclass(frozen=True)
class Code:
    """Text to be copied."""

    text: str


@dataclass(frozen=True)
class Bar:
    """A number with its interval, on the scale of its `Bars`."""

    name: str
    value: str
    low: Percent
    at: Percent
    high: Percent
    kind: str = ""
    """`winner` stands out."""
    note: str = ""


@dataclass(frozen=True)
class Bars:
    """Numbers below each other on one scale."""

    caption: str
    headings: tuple[str, str, str]
    """Of the names, the values, the intervals."""
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Tick:
    """A labeled place on an axis."""

    at: Percent
    label: str


@dataclass(frozen=True)
class Mark:
    """A trial in a plot."""

    x: Percent
    y: Percent
    kind: str
    """`complete`, `pruned`, `running`, `failed`, `default` or `winner`."""
    title: str
    """What is said of it under the pointer."""


@dataclass(frozen=True)
class Line:
    """A curve."""

    points: Sequence[tuple[Percent, Percent]]
    kind: str
    """That of a mark, or `best`: the best so far."""
    title: str


@dataclass(frozen=True)
class Plot:
    """Marks and lines over two axes."""

    said: str
    """What it shows, for those who do not see it."""
    x: str
    """What the axis means."""
    y: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    marks: Sequence[Mark] = ()
    lines: Sequence[Line] = ()
    band: tuple[Percent, Percent] | None = None
    """From and to on the x axis: what proved good."""
    legend: Sequence[tuple[str, str]] = field(default_factory=tuple)
    """Kinds of marks, and what they mean."""


Part: TypeAlias = str | Table | Matrix | Code | Bars | Plot
"""A text is a paragraph."""


@dataclass(frozen=True)
class Section:
    """What opens below a title."""

    title: str
    summary: str
    """What one knows without opening it."""
    parts: Sequence[Part]
