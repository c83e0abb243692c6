"""The text of a file in any Unicode encoding; others are refused, with the way to convert them."""

import codecs
import re
import shlex
from pathlib import Path

import numpy as np

from autoft.data.finding import Finding
from autoft.errors import DataError

_MARKS = (  # UTF-32's little-endian mark begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNITS = {"utf-32-le": "<u4", "utf-32-be": ">u4", "utf-16-le": "<u2", "utf-16-be": ">u2"}
"""What a file without a mark may be in, and its code units for NumPy; the wider ones are tried first."""
_SEPARATORS = [ord(mark) for mark in '\n,\t"']
_FEW_NULLS = 0.1
"""Share of the bytes: UTF-8 may hold a stray null character, ASCII in UTF-16 is half of them."""


def _guessed(source: str, encoding: str) -> Finding:
    """Of a file that is neither UTF-8 nor says what it is, but was read."""
    return Finding(
        rule="encoding",
        said=f"{source}: is not UTF-8 and has no byte order mark; by its bytes it is read as {encoding}",
        fix="If its text looks wrong, save the file as UTF-8",
    )


def read_text(path: Path) -> tuple[str, Finding | None]:
    """The file's text, and its encoding where that was guessed.

    UTF-16 and UTF-32 are recognized with and without their byte order mark. Raises DataError for every other
    encoding: which one it is cannot be known from the bytes.
    """
    data = path.read_bytes()
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    encoding = marked or "utf-8"
    if marked is None and b"\0" in data:
        encoding = _without_mark(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(_refusal(path, data, encoding, error.start)) from None
    guessed = marked is None and encoding != "utf-8"
    return text, _guessed(path.name, encoding.upper()) if guessed else None


def _without_mark(data: bytes) -> str:
    """UTF-16 or UTF-32 where the separators of csv and jsonl are whole code units of it; else UTF-8."""
    if data.count(b"\0") < _FEW_NULLS * len(data) and _decodes(data, "utf-8"):
        return "utf-8"
    separators = {}
    for encoding, unit in _UNITS.items():
        whole = len(data) // int(unit[-1])
        separators[encoding] = np.isin(np.frombuffer(data, unit, whole), _SEPARATORS).sum()
    likely = sorted((name for name, n in separators.items() if n), key=lambda name: -separators[name])
    return next((name for name in likely if _decodes(data, name)), "utf-8")


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        return encoding == "utf-8" or "\0" not in data.decode(encoding)
    except UnicodeDecodeError:
        return False


def _refusal(path: Path, data: bytes, encoding: str, at: int) -> str:
    line = data[:at].decode(encoding, "replace").count("\n") + 1
    place = f"{path.name}:{line}: byte 0x{data[at]:02x} is not {encoding.upper().removesuffix('-SIG')}"
    if not encoding.startswith("utf-8"):
        return f"{place}: the file is damaged; save it again as UTF-8"
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return f"{place}; save the file as UTF-8"
    old, new = shlex.quote(path.name), shlex.quote(f"{path.stem}-utf8{path.suffix}")
    return (
        f"{place}; as Windows-1252 (Latin-1) it would read {_word(data, at)!r}. If that is right, convert: "
        f"iconv -f WINDOWS-1252 -t UTF-8 {old} > {new}; else put its own encoding there"
    )


def _word(data: bytes, at: int) -> str:
    """The word that the byte at `at` is in, by Windows-1252."""
    text = data[max(0, at - 40) : at + 40].decode("cp1252")
    middle = min(at, 40)
    return next(found[0] for found in re.finditer(r"[^\s,;\"]+|.", text, re.S) if found.end() > middle)
