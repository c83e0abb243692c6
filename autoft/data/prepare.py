"""From the request to rows that a study can train on: checked, split, numbered, written, sealed."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from autoft.data import seal
from autoft.data.alike import look_alikes, normalized
from autoft.data.files import file_digest, hasher, read_table, write_table
from autoft.data.load import load
from autoft.data.repeated import repeated_rows
from autoft.data.rows import SHOWN, Finding, RawSplit, listed
from autoft.data.split import draw
from autoft.data.values import natural_order
from autoft.errors import DataError
from autoft.spec.study import DataSpec

ROWS_FILE = "rows.arrow"
SPLITS = ("train", "validation", "test")
"""In this order everywhere: in files, in the digest, on the screen."""


@dataclass(frozen=True)
class DataSummary:
    """What is known of a study's rows, without the rows."""

    labels: tuple[str, ...]
    """The classes' names in natural order; a row's `label` is an index into them."""
    counts: Mapping[str, Mapping[str, int]]
    """Rows by split and label name; only the splits that there are, all labels in each."""
    digest: str
    """32 hex digits of columns, labels and rows of all splits; not of the file's format, name or place."""
    n_inputs: int
    """1, or 2 for a pair."""
    dropped: int
    """Rows left out because an input or the target is empty (`on_empty: drop`)."""

    def size(self, split: str) -> int:
        """How many rows a split has; 0 where there is no such split."""
        return sum(self.counts.get(split, {}).values())


@dataclass(frozen=True)
class PreparedData(DataSummary):
    """Training and validation rows in a study's folder."""

    folder: Path
    rows_digest: str
    """32 hex digits of the bytes of rows.arrow (`files.file_digest`)."""

    @property
    def rows_path(self) -> Path:
        """Train and validation rows: Arrow, columns input_0, (input_1), label (int32), split."""
        return self.folder / ROWS_FILE


@dataclass(frozen=True)
class Rows(DataSummary):
    """Checked and split rows in memory; nothing is written yet."""

    tables: Mapping[str, pa.Table]
    """By split, with the columns of rows.arrow."""
    findings: tuple[Finding, ...] = ()
    """What is no error but should be known before a search."""

    def write(self, folder: Path) -> PreparedData:
        """Writes `folder`/rows.arrow, atomically: the rows of training and validation."""
        write_table(pa.concat_tables([self.tables["train"], self.tables["validation"]]), folder / ROWS_FILE)
        summary = {field.name: getattr(self, field.name) for field in fields(DataSummary)}
        return PreparedData(folder=folder, rows_digest=file_digest(folder / ROWS_FILE), **summary)

    def seal(self, folder: Path) -> None:
        """Lays the test rows down in `folder`, to which nothing that a worker is given may lead."""
        seal.write_test(self.tables.get("test"), folder)


def read_prepared(folder: Path) -> PreparedData:
    """What `Rows.write` left in `folder`, but for the test split, which stays sealed, and what was dropped.

    Raises DataError where it is missing or damaged.
    """
    rows = read_table(folder / ROWS_FILE)
    labels = tuple(json.loads(rows.schema.metadata[b"labels"]))
    counts = Counter(zip(rows["split"].to_pylist(), rows["label"].to_pylist(), strict=True))
    return PreparedData(
        labels=labels,
        counts={
            split: {label: counts[split, number] for number, label in enumerate(labels)}
            for split in dict.fromkeys(split for split, _ in counts)
        },
        digest=rows.schema.metadata[b"digest"].decode(),
        n_inputs=sum(name.startswith("input_") for name in rows.column_names),
        dropped=0,
        folder=folder,
        rows_digest=file_digest(folder / ROWS_FILE),
    )


def examine(spec: DataSpec, frames: Mapping[str, pd.DataFrame] | None = None) -> Rows:
    """Loads, checks and splits the data.

    Splits that the data come with are kept. Where none is held out, validation and test are drawn; where only
    a test split comes with them, validation is; where only validation does, there is no test split.
    Raises DataError for everything about the data that the user has to fix.
    """
    loaded, dropped = _without_empties(load(spec, frames), spec)
    loaded = _with_stripped_labels(loaded, spec.target)
    labels = _labels(loaded, spec.target)
    splits = _with_drawn(loaded, spec)
    if spec.split.group:
        _require_disjoint_groups(splits, spec.split.group)
    digest = _digest(splits, spec, labels)
    metadata = {"digest": digest, "labels": json.dumps(labels)}
    counts = {name: Counter(split.columns[spec.target]) for name, split in splits.items()}
    total = sum(counts.values(), Counter[str | None]())
    alike = look_alikes(spec.target, {label: total[label] for label in labels})
    return Rows(
        tables={name: _table(split, name, spec, labels, metadata) for name, split in splits.items()},
        labels=labels,
        counts={name: {label: counts[name][label] for label in labels} for name in splits},
        digest=digest,
        n_inputs=len(spec.inputs),
        dropped=dropped,
        findings=(
            *(finding for split in loaded.values() for finding in split.findings),
            *([alike] if alike else []),
            *repeated_rows(splits, spec.inputs, spec.target),
        ),
    )


def _without_empties(loaded: Mapping[str, RawSplit], spec: DataSpec) -> tuple[dict[str, RawSplit], int]:
    needed = [*spec.inputs, spec.target, *([spec.split.group] if spec.split.group else [])]
    problems, kept, dropped = [], {}, 0
    for name, split in loaded.items():
        empty = {column: np.array([cell is None for cell in split.columns[column]]) for column in needed}
        any_empty = np.logical_or.reduce(list(empty.values()))
        if any_empty.any() and spec.on_empty == "error":
            parts = [f"`{column}` in {mask.sum()}" for column, mask in empty.items() if mask.any()]
            n = int(any_empty.sum())
            problems.append(
                f"{split.source}: {n} of {len(split)} rows {'has' if n == 1 else 'have'} an empty cell "
                f"({', '.join(parts)}): {split.places(any_empty)}"
            )
        if any_empty.all() and spec.on_empty == "drop" and name != "test":
            raise DataError(
                f"{split.source}: every row is empty in {listed(needed, '`')}; nothing is left of {name}"
            )
        dropped += int(any_empty.sum())
        if not any_empty.all():  # a test split of which every row is unlabelled is no test split
            kept[name] = split.keep(~any_empty) if any_empty.any() else split
    if problems:
        raise DataError(
            "\n".join([*problems, "Fill them in, or leave these rows out with data.on_empty: drop"])
        )
    return kept, dropped


def _with_stripped_labels(loaded: Mapping[str, RawSplit], target: str) -> dict[str, RawSplit]:
    """White space around a label is no part of its name: nobody could tell the two labels apart."""
    return {
        name: replace(
            split,
            columns={**split.columns, target: [str(label).strip() for label in split.columns[target]]},
        )
        for name, split in loaded.items()
    }


def _labels(loaded: Mapping[str, RawSplit], target: str) -> tuple[str, ...]:
    known = set(loaded["train"].columns[target])
    if len(known) < 2:
        raise DataError(
            f"{loaded['train'].source}: column `{target}` has one value only (`{next(iter(known))}`) in "
            f"{len(loaded['train'])} rows; a classifier needs at least two"
        )
    for split in loaded.values():
        strange = np.array([label not in known for label in split.columns[target]])
        if strange.any():
            names = natural_order(str(split.columns[target][i]) for i in np.flatnonzero(strange).tolist())
            raise DataError(
                f"{split.source}: label {listed(names, '`')} of column `{target}` is not in the train split "
                f"({split.places(strange)}); train has {listed(natural_order(map(str, known)), '`')}"
                f"{_alike(names, map(str, known))}"
            )
    return natural_order(str(label) for label in known)


def _alike(names: Iterable[str], known: Iterable[str]) -> str:
    """Which labels of train the strange `names` look like."""
    by_look = {normalized(label): label for label in known}
    pairs = [f"{name!a} is {by_look[look]!a}" for name in names if (look := normalized(name)) in by_look]
    what = "case, white space, invisible characters or Unicode form"
    return f"; {listed(pairs)} but for {what}" if pairs else ""


def _with_drawn(loaded: Mapping[str, RawSplit], spec: DataSpec) -> dict[str, RawSplit]:
    """All splits in order, those that the data lack drawn from train."""
    shares: dict[str, float] = {}
    if "validation" not in loaded:
        shares["validation"] = spec.split.validation
        if "test" not in loaded and spec.split.test > 0:
            shares["test"] = spec.split.test
    train = loaded["train"]
    splits = dict(loaded)
    if shares:
        group = spec.split.group
        chosen = draw(
            [str(label) for label in train.columns[spec.target]],
            shares,
            seed=spec.split.seed,
            stratify=spec.split.stratify,
            groups=[str(value) for value in train.columns[group]] if group else None,
            group_column=group or "",
        )
        splits |= {name: train.keep(chosen == name) for name in ("train", *shares)}
    return {name: splits[name] for name in SPLITS if name in splits}


def _require_disjoint_groups(splits: Mapping[str, RawSplit], group: str) -> None:
    """Given splits may break what drawn ones keep by construction."""
    home: dict[str | None, str] = {}
    shared: dict[str, str] = {}
    for name, split in splits.items():
        for value in dict.fromkeys(split.columns[group]):
            if value in home:
                shared[str(value)] = f"{home[value]} and {name}"
            home.setdefault(value, name)
    if shared:
        examples = [f"`{value}` in {where}" for value, where in list(shared.items())[:SHOWN]]
        raise DataError(
            f"{len(shared)} groups of column `{group}` lie in more than one of the given splits "
            f"({'; '.join(examples)}); move them, or remove data.split.group"
        )


def _digest(splits: Mapping[str, RawSplit], spec: DataSpec, labels: Sequence[str]) -> str:
    digest = hasher()
    digest.update(json.dumps(["autoft rows 1", spec.inputs, spec.target, labels]).encode())
    for name, split in splits.items():
        digest.update(json.dumps([name, len(split)]).encode())
        for column in (*spec.inputs, spec.target):
            cells = [str(cell).encode() for cell in split.columns[column]]
            digest.update(np.array([len(cell) for cell in cells], "<i8").tobytes())
            digest.update(b"".join(cells))
    return digest.hexdigest()


def _table(
    split: RawSplit, name: str, spec: DataSpec, labels: Sequence[str], metadata: Mapping[str, str]
) -> pa.Table:
    number = {label: i for i, label in enumerate(labels)}
    columns = {
        f"input_{i}": pa.array(split.columns[column], pa.large_string())
        for i, column in enumerate(spec.inputs)
    }
    columns["label"] = pa.array([number[str(label)] for label in split.columns[spec.target]], pa.int32())
    columns["split"] = pa.repeat(pa.scalar(name), len(split))
    return pa.table(columns).replace_schema_metadata(dict(metadata))
