"""What a cell means: empty, text, a label's name, or a list of them. The same for every file format."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
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
    return [
        _text(value, f"{source}: {unit} {number}: column `{column}`", "one value a row")
        for number, value in zip(numbers, values, strict=True)
    ]


def list_column(
    values: Iterable[object], source: str, column: str, numbers: np.ndarray, unit: str
) -> list[tuple[str, ...] | None]:
    """A column's cells as lists of texts (each as `as_text`); None where there is none, () for an empty list.

    Text, as in a csv, is read as a JSON list. Raises DataError with the first place of a value that is no
    list, or of a list with something in it that is empty or not one value.
    """
    lists: list[tuple[str, ...] | None] = []
    for number, value in zip(numbers, values, strict=True):
        place = f"{source}: {unit} {number}: column `{column}`"
        found = _as_list(value, place)
        lists.append(None if found is None else tuple(_elements(found, place)))
    return lists


def _elements(values: Sequence[object], place: str) -> Iterator[str]:
    for number, value in enumerate(values, start=1):
        text = _text(value, f"{place}: element {number} of the list", "a list of single values")
        if text is None:
            raise DataError(f"{place}: element {number} of the list is empty")
        yield text


def _text(value: object, place: str, rule: str) -> str | None:
    try:
        text = as_text(value)
    except TypeError as error:
        raise DataError(f"{place} holds a {error}; it must be text, {rule}") from None
    if text is not None and not _is_unicode(text):
        raise DataError(f"{place} holds half of a character (a lone surrogate); fix the text")
    return text


def _as_list(value: object, place: str) -> Sequence[object] | None:
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise DataError(f'{place} must be a JSON list such as ["a", "b"], got {value!r:.60}') from None
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        found: Sequence[object] = value
        return found
    if isinstance(value, dict | bytes | bytearray | set) or as_text(value) is not None:
        raise DataError(f"{place} must be a list, got {value!r:.60}")
    return None


def class_names(values: Iterable[object], names: Sequence[str]) -> list[object]:
    """The names behind a hub dataset's ClassLabel numbers, or lists of them; None for -1, which means none.

    Raises DataError for a number without a name.
    """
    return [
        [_class_name(each, names) for each in value]
        if isinstance(value, list | tuple | np.ndarray)
        else _class_name(value, names)
        for value in values
    ]


def _class_name(value: object, names: Sequence[str]) -> str | None:
    if not isinstance(value, int | np.integer) or value < 0:
        return None
    if value >= len(names):
        raise DataError(f"label number {value} has no name; the names are {listed(names, '`')}")
    return names[int(value)]


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
