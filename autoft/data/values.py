"""What a cell means: empty, text, or a label's name. The same for every file format."""

import math
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation

import numpy as np
import pandas as pd

from autoft.data.rows import listed
from autoft.errors import DataError

_DIGITS = re.compile("([0-9]+)")
_EXACT = 2**53  # up to here a float holds every integer


def as_text(value: object) -> str | None:
    """A cell as text; None where it is empty: missing, NaN, or nothing but white space.

    True is `True` (as pandas writes it to csv), 3 is `3`, and 3.0 is `3` as well: pandas turns a column of
    integers into floats when a value is missing. Text stays as it is: `007` is not 7.
    Raises TypeError for what is not one value (a list, a mapping, bytes).
    """
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, np.generic):
        return as_text(value.item())
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
    if isinstance(value, bytes | bytearray | list | tuple | set | dict | np.ndarray):
        raise TypeError(type(value).__name__)
    return as_text(str(value))


def text_column(
    values: Iterable[object], source: str, column: str, numbers: np.ndarray, unit: str
) -> list[str | None]:
    """A column's cells as text (see `as_text`).

    Raises DataError with the first place of a value that is not one value, or not valid Unicode.
    """
    texts: list[str | None] = []
    for number, value in zip(numbers, values, strict=True):
        place = f"{source}: {unit} {number}: column `{column}`"
        try:
            text = as_text(value)
        except TypeError as error:
            raise DataError(f"{place} holds a {error}; it must be text, one value a row") from None
        if text is not None and not _is_unicode(text):
            raise DataError(f"{place} holds half of a character (a lone surrogate); fix the text")
        texts.append(text)
    return texts


def class_names(values: Iterable[object], names: Sequence[str]) -> list[str | None]:
    """The names behind a hub dataset's ClassLabel numbers; -1 is its word for "not labelled".

    Raises DataError for a number without a name.
    """
    texts: list[str | None] = []
    for value in values:
        if isinstance(value, int) and value >= len(names):
            raise DataError(f"label number {value} has no name; the names are {listed(names, '`')}")
        texts.append(names[value] if isinstance(value, int) and value >= 0 else None)
    return texts


def natural_order(names: Iterable[str]) -> tuple[str, ...]:
    """Distinct names as a person would list them: numbers by value, `topic 2` before `topic 10`."""
    distinct = set(names)
    try:
        return tuple(sorted(distinct, key=lambda name: (_number(name), name)))
    except InvalidOperation:
        return tuple(sorted(distinct, key=_natural_key))


def _number(name: str) -> Decimal:
    number = Decimal(name)
    if not number.is_finite():
        raise InvalidOperation
    return number


def _natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    parts = [part for part in _DIGITS.split(name) if part]
    key = []
    for part in parts:
        if _DIGITS.fullmatch(part):
            digits = part.lstrip("0")
            key.append((0, len(digits), digits))  # by value, however long
        else:
            key.append((1, 0, part.casefold()))
    return key, name


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
