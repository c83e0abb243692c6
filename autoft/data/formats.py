"""The file formats: csv, tsv, jsonl, parquet and CoNLL, read strictly and with line numbers."""

import csv
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from autoft.data.encoding import read_text
from autoft.data.file_column import file_column
from autoft.data.finding import Finding
from autoft.data.groups import looks_like_a_group
from autoft.data.rows import Cell, RawSplit, listed, require_columns
from autoft.data.swallowed import swallowed_rows
from autoft.data.values import class_names, list_column, text_column
from autoft.errors import DataError
from autoft.spec.task import Kind


@dataclass(frozen=True)
class Columns:
    """Columns of a file, with cells of any type."""

    unit: str
    """What `numbers` count: `line` or `row`."""
    numbers: np.ndarray
    """Where each row stands, int64 [n]."""
    cells: Mapping[str, Sequence[object]]
    """By column name, each of length n."""
    findings: tuple[Finding | None, ...] = ()
    """About the file as a whole."""


def read_file(path: Path, wanted: Sequence[str], kinds: Mapping[str, Kind] = {}) -> RawSplit:
    """The wanted columns of a csv, tsv, jsonl, parquet or CoNLL file, by their `kinds`; others are of text.

    Raises DataError for a format that is not read, an empty or broken file, and missing columns.
    """
    found = read_columns(path, wanted)
    return raw_split(
        path.name, found.unit, found.numbers, found.cells, wanted, found.findings, kinds, path.parent
    )


def read_columns(path: Path, wanted: Sequence[str] | None = None) -> Columns:
    """The wanted columns as the format has them; None is all that have a name of their own.

    Raises DataError as `read_file` does.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path.name}: a file must be {', '.join(READERS)}, got {path.suffix or 'no suffix'}{_fix(path)}"
        )
    try:
        empty = path.stat().st_size == 0
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if empty:
        raise DataError(f"{path.name} is empty")
    try:
        found = reader(path, wanted)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not len(found.numbers):
        raise DataError(f"{path.name} has no rows")
    return found


def with_groups(wanted: Sequence[str], available: Sequence[str]) -> list[str]:
    """The columns to read: the `wanted` ones, and those that look like groups, to see if a group is split."""
    once = [name for name in available if available.count(name) == 1]
    return list(dict.fromkeys([*wanted, *filter(looks_like_a_group, once)]))


def raw_split(
    source: str,
    unit: str,
    numbers: np.ndarray,
    columns: Mapping[str, Sequence[object]],
    wanted: Sequence[str],
    findings: Sequence[Finding | None] = (),
    kinds: Mapping[str, Kind] = {},
    folder: Path = Path(),
) -> RawSplit:
    """Values of any type as a `RawSplit`; paths of files are relative to `folder`.

    Raises DataError for values that cannot be read; a column that is not `wanted` is left out then.
    """
    cells: dict[str, Sequence[Cell]] = {}
    readers: Mapping[Kind, Callable[..., Sequence[Cell]]] = {
        "text": text_column,
        "texts": list_column,
        "file": partial(file_column, folder=folder),
    }
    for name, values in columns.items():
        try:
            cells[name] = readers[kinds.get(name, "text")](values, source, name, numbers, unit)
        except DataError:
            if name in wanted:
                raise
    return RawSplit(source, unit, numbers, cells, tuple(each for each in findings if each is not None))


def with_class_names(
    columns: Mapping[str, Sequence[object]], classes: Mapping[str, Sequence[str]]
) -> dict[str, Sequence[object]]:
    """The columns; those in `classes`, which are numbers into its names, with these names."""
    return {
        name: class_names(values, classes[name]) if name in classes else values
        for name, values in columns.items()
    }


def _required(
    source: str, available: Sequence[str], wanted: Sequence[str] | None, hint: str = ""
) -> Sequence[str]:
    """The columns to read; raises DataError where `require_columns` does."""
    if wanted is None:
        return [name for name in available if name.strip() and available.count(name) == 1]
    require_columns(source, available, wanted, hint)
    return wanted


def _read_csv(path: Path, wanted: Sequence[str] | None) -> Columns:
    """Separated by what makes the most columns of the header: Excel writes semicolons in many countries."""
    text, encoding = read_text(path)
    delimiter = max(_SEPARATORS, key=lambda mark: _width(text, mark))  # of equal ones the first
    return _separated(path, wanted, text, encoding, delimiter)


def _read_tsv(path: Path, wanted: Sequence[str] | None) -> Columns:
    text, encoding = read_text(path)
    return _separated(path, wanted, text, encoding, "\t")


def _width(text: str, delimiter: str) -> int:
    """How many columns the header has; 0 where it is not valid."""
    beginning = io.StringIO(text[:_HEADER], newline="")
    try:
        return len(next(filter(None, csv.reader(beginning, delimiter=delimiter, strict=True)), ()))
    except csv.Error:
        return 0


def _separated(
    path: Path, wanted: Sequence[str] | None, text: str, encoding: Finding | None, delimiter: str
) -> Columns:
    """Everything is text, so that a label `007` survives. Blank lines are skipped."""
    header, records, lines = _records(path, text, delimiter)
    separator = _SEPARATORS[delimiter]
    hint = ""
    if len(header) == 1 and (found := next((mark for mark in ",;|" if mark in header[0]), None)):
        hint = f"; columns must be separated by {separator}s, the header looks separated by {found!r}"
    wanted = _required(path.name, header, wanted, hint)
    ragged = [i for i, record in enumerate(records) if len(record) != len(header)]
    if ragged:
        counts = [f"{lines[i]} ({len(records[i])} fields)" for i in ragged]
        raise DataError(
            f"{path.name}:{lines[ragged[0]]}: each row must have {len(header)} fields, as the header, "
            f"got another number in line{'s' * (len(ragged) > 1)} {listed(counts)}; "
            f"put text that holds a {separator} in double quotes"
        )
    at = {name: header.index(name) for name in with_groups(wanted, header)}
    columns = {name: [record[i] for record in records] for name, i in at.items()}
    swallowed = swallowed_rows(path.name, header, records, lines, wanted, delimiter)
    return Columns("line", np.array(lines, np.int64), columns, (encoding, swallowed))


def _records(path: Path, text: str, delimiter: str) -> tuple[list[str], list[list[str]], list[int]]:
    """Header, records, and the line each record starts on (a quoted field may span lines)."""
    records, lines = [], []
    limit = csv.field_size_limit(sys.maxsize)  # a document may be longer than csv's 128 KiB
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = 1
    try:
        for record in reader:
            if record:
                records.append(record)
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path.name}:{start}: not valid {path.suffix.lower().removeprefix('.')}: {error}; "
            'a quote inside quoted text is doubled: ""'
        ) from None
    finally:
        csv.field_size_limit(limit)
    if not records:
        raise DataError(f"{path.name} is empty")
    return records[0], records[1:], lines[1:]


def _read_jsonl(path: Path, wanted: Sequence[str] | None) -> Columns:
    """One JSON object a line; a key that a line does not have is an empty cell."""
    rows: list[dict[str, object]] = []
    lines = []
    content, encoding = read_text(path)
    for line, text in enumerate(content.split("\n"), start=1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            whole = (
                "; the file looks like one JSON document, it must be one object a line" if line == 1 else ""
            )
            raise DataError(f"{path.name}:{line}: not valid JSON: {error}{whole}") from None
        if not isinstance(row, dict):
            raise DataError(
                f"{path.name}:{line}: each line must be a JSON object, got a {type(row).__name__}"
            )
        rows.append(row)
        lines.append(line)
    if not rows:
        raise DataError(f"{path.name} is empty")
    keys = list(dict.fromkeys(key for row in rows for key in row))
    wanted = _required(path.name, keys, wanted)
    columns = {name: [row.get(name) for row in rows] for name in with_groups(wanted, keys)}
    return Columns("line", np.array(lines, np.int64), columns, (encoding,))


def _read_parquet(path: Path, wanted: Sequence[str] | None) -> Columns:
    """A hub dataset's ClassLabel column, described in the file's metadata, gives its names."""
    try:
        schema = pq.read_schema(path)
        wanted = _required(path.name, schema.names, wanted)
        table = pq.ParquetFile(path).read(columns=with_groups(wanted, schema.names))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise DataError(f"{path.name}: not a readable parquet file: {error}") from None
    classes = {name: names for name, names in _class_labels(schema).items() if name in wanted}
    columns = with_class_names({name: table.column(name).to_pylist() for name in table.column_names}, classes)
    return Columns("row", np.arange(1, len(table) + 1, dtype=np.int64), columns)


TOKENS, TAGS = "tokens", "tags"
"""What the first and the last column of a CoNLL file are called here; it has no header."""


def _read_conll(path: Path, wanted: Sequence[str] | None) -> Columns:
    """A token a line, its tag in the last column, an empty line after each sentence: one row a sentence."""
    hint = "; the first column is `tokens`, the last one `tags`"
    wanted = _required(path.name, [TOKENS, TAGS], wanted, hint)
    content, encoding = read_text(path)
    rows: list[list[list[str]]] = []
    starts: list[int] = []
    within = False
    for number, line in enumerate(content.split("\n"), start=1):
        # Not any white space: a no-break space may be part of a token, in a file with tabs a space may.
        fields = [field for field in line.strip(" \t\r").split("\t" if "\t" in line else " ") if field]
        if not fields or fields[0] == "-DOCSTART-":
            within = False
            continue
        if len(fields) < 2:
            raise DataError(f"{path.name}:{number}: a line must be a token and its tag, got {line.strip()!r}")
        if not within:
            rows.append([])
            starts.append(number)
            within = True
        rows[-1].append([fields[0], fields[-1]])
    columns = {name: [[token[name == TAGS] for token in row] for row in rows] for name in wanted}
    return Columns("line", np.array(starts, np.int64), columns, (encoding,))


def _class_labels(schema: pa.Schema) -> dict[str, list[str]]:
    """Names of the columns that `datasets` described as ClassLabel when it wrote the file."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        kinds = {name: _of_one(kind) for name, kind in features.items()}
        return {name: kind["names"] for name, kind in kinds.items() if "names" in kind}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}


def _of_one(kind: Any) -> Any:
    """The description of a column's values; of a list's elements, which it has under a key or in a list.

    One that is written in no known way has no names, and takes those of no other column away.
    """
    one = kind[0] if isinstance(kind, list) and kind else kind
    return one.get("feature", one) if isinstance(one, dict) else {}


def _fix(path: Path) -> str:
    fixes = {
        ".json": "; rename it if it holds one object a line",
        ".ndjson": "; rename it to .jsonl",
        ".tab": "; rename it to .tsv",
        ".txt": "; rename it to .csv, .tsv or .conll, by how it is laid out",
        ".bio": "; rename it to .conll",
        ".iob": "; rename it to .conll",
        ".xlsx": "; export the sheet as csv",
        ".xls": "; export the sheet as csv",
        ".gz": "; unpack it",
        ".zip": "; unpack it",
    }
    return fixes.get(path.suffix.lower(), "")


_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_HEADER = 100_000
"""Characters that are looked at for the header."""

READERS: Mapping[str, Callable[[Path, Sequence[str] | None], Columns]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
    ".conll": _read_conll,
}
"""By suffix, in the order in which errors list them."""
