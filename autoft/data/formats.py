"""The file formats: csv, tsv, jsonl and parquet, read strictly and with line numbers."""

import csv
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from autoft.data.encoding import read_text
from autoft.data.rows import Finding, RawSplit, listed, require_columns
from autoft.data.swallowed import swallowed_rows
from autoft.data.values import class_names, text_column
from autoft.errors import DataError


def read_file(path: Path, wanted: Sequence[str]) -> RawSplit:
    """The wanted columns of a csv, tsv, jsonl or parquet file.

    Raises DataError for a format that is not read, an empty or broken file, and missing columns.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path.name}: a file must be {', '.join(READERS)}, got {path.suffix or 'no suffix'}{_mend(path)}"
        )
    try:
        empty = path.stat().st_size == 0
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if empty:
        raise DataError(f"{path.name} is empty")
    try:
        split = reader(path, wanted)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not len(split):
        raise DataError(f"{path.name} has no rows")
    return split


def raw_split(
    source: str,
    unit: str,
    numbers: np.ndarray,
    columns: Mapping[str, Sequence[object]],
    classes: Mapping[str, Sequence[str]] | None = None,
    findings: Sequence[Finding | None] = (),
) -> RawSplit:
    """Values of any type as a `RawSplit`; columns in `classes` are numbers into its names."""
    texts = {
        name: class_names(values, classes[name])
        if classes and name in classes
        else text_column(values, source, name, numbers, unit)
        for name, values in columns.items()
    }
    return RawSplit(source, unit, numbers, texts, tuple(each for each in findings if each is not None))


def _read_separated(path: Path, wanted: Sequence[str], *, delimiter: str) -> RawSplit:
    """Everything is text, so that a label `007` survives. Blank lines are skipped."""
    text, encoding = read_text(path)
    header, records, lines = _records(path, text, delimiter)
    separator = _SEPARATORS[delimiter]
    hint = ""
    if len(header) == 1 and (found := next((mark for mark in ",;\t|" if mark in header[0]), None)):
        hint = f"; columns must be separated by {separator}s, the header looks separated by {found!r}"
    require_columns(path.name, header, wanted, hint)
    ragged = [i for i, record in enumerate(records) if len(record) != len(header)]
    if ragged:
        counts = [f"{lines[i]} ({len(records[i])} fields)" for i in ragged]
        raise DataError(
            f"{path.name}:{lines[ragged[0]]}: each row must have {len(header)} fields, as the header, "
            f"got another number in line{'s' * (len(ragged) > 1)} {listed(counts)}; "
            f"put text that holds a {separator} in double quotes"
        )
    at = {name: header.index(name) for name in wanted}
    columns = {name: [record[i] for record in records] for name, i in at.items()}
    swallowed = swallowed_rows(path.name, header, records, lines, wanted, delimiter)
    numbers = np.array(lines, np.int64)
    return raw_split(path.name, "line", numbers, columns, findings=(encoding, swallowed))


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


def _read_jsonl(path: Path, wanted: Sequence[str]) -> RawSplit:
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
    require_columns(path.name, list(dict.fromkeys(key for row in rows for key in row)), wanted)
    columns = {name: [row.get(name) for row in rows] for name in wanted}
    return raw_split(path.name, "line", np.array(lines, np.int64), columns, findings=(encoding,))


def _read_parquet(path: Path, wanted: Sequence[str]) -> RawSplit:
    """A hub dataset's ClassLabel column, described in the file's metadata, gives its names."""
    try:
        schema = pq.read_schema(path)
        require_columns(path.name, schema.names, wanted)
        table = pq.ParquetFile(path).read(columns=list(wanted))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise DataError(f"{path.name}: not a readable parquet file: {error}") from None
    columns = {name: table.column(name).to_pylist() for name in wanted}
    numbers = np.arange(1, len(table) + 1, dtype=np.int64)
    return raw_split(path.name, "row", numbers, columns, _class_labels(schema))


def _class_labels(schema: pa.Schema) -> dict[str, list[str]]:
    """Names of the columns that `datasets` described as ClassLabel when it wrote the file."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: kind["names"] for name, kind in features.items() if "names" in kind}
    except (KeyError, TypeError, ValueError):
        return {}


def _mend(path: Path) -> str:
    fixes = {
        ".json": "; rename it if it holds one object a line",
        ".ndjson": "; rename it to .jsonl",
        ".tab": "; rename it to .tsv",
        ".txt": "; rename it to .csv or .tsv, by what separates its columns",
        ".xlsx": "; export the sheet as csv",
        ".xls": "; export the sheet as csv",
        ".gz": "; unpack it",
        ".zip": "; unpack it",
    }
    return fixes.get(path.suffix.lower(), "")


_SEPARATORS = {",": "comma", "\t": "tab"}

READERS: Mapping[str, Callable[[Path, Sequence[str]], RawSplit]] = {
    ".csv": partial(_read_separated, delimiter=","),
    ".tsv": partial(_read_separated, delimiter="\t"),
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
"""By suffix, in the order in which errors list them."""
