"""From the request to rows that a study can train on: checked, split, numbered, written, sealed."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from autoft.data import seal
from autoft.data.files import file_digest, hasher, read_table, write_table
from autoft.data.finding import Finding
from autoft.data.leaks import without_leaks
from autoft.data.load import load
from autoft.data.rows import Cell, RawSplit, listed
from autoft.data.split import draw
from autoft.data.targets import TargetRules, Targets
from autoft.errors import DataError
from autoft.spec.study import DataSpec
from autoft.spec.task import Kind

ROWS_FILE = "rows.arrow"
PLACES_FILE = "places.arrow"
"""Where the rows of ROWS_FILE came from. A file of its own: no worker needs it, and what is computed of the
rows stays valid where their file gets another name or a line more."""
SPLITS = ("train", "validation", "test")
"""In this order everywhere: in files, in the digest, on the screen."""


@dataclass(frozen=True)
class DataSummary:
    """What is known of a study's rows, without the rows."""

    targets: Targets
    """What the task has learned of the target column on the training rows."""
    sizes: Mapping[str, int]
    """Rows by split; only the splits that there are."""
    counts: Mapping[str, Mapping[str, int]]
    """By split, how often each label, tag or range of the target occurs; all of them in each."""
    digest: str
    """32 hex digits of columns, targets and rows of all splits; not of the file's format, name or place."""
    n_inputs: int
    """1, or 2 for a pair."""
    dropped: int
    """Rows left out because an input or the target is empty (`on_empty: drop`)."""

    def size(self, split: str) -> int:
        """How many rows a split has; 0 where there is no such split."""
        return self.sizes.get(split, 0)


@dataclass(frozen=True)
class PreparedData(DataSummary):
    """Training and validation rows in a study's folder."""

    folder: Path
    rows_digest: str
    """32 hex digits of the bytes of rows.arrow (`files.file_digest`)."""

    @property
    def rows_path(self) -> Path:
        """Train and validation rows: Arrow, columns input_0, (input_1), target, split."""
        return self.folder / ROWS_FILE


@dataclass(frozen=True)
class Rows(DataSummary):
    """Checked and split rows in memory; nothing is written yet."""

    tables: Mapping[str, pa.Table]
    """By split, with the columns of rows.arrow."""
    places: pa.Table
    """Where rows of training and validation stand: `place`, such as `tickets.csv: line 17`, and `split`."""
    findings: tuple[Finding, ...] = ()
    """What should be known before a search; those that are errors are for the caller to refuse."""
    splits: Mapping[str, RawSplit] = field(default_factory=dict)
    """The same rows by split as they were read, with where each one stands."""

    def write(self, folder: Path) -> PreparedData:
        """Writes rows.arrow, the rows of training and validation, and places.arrow; each atomically."""
        write_table(pa.concat_tables([self.tables["train"], self.tables["validation"]]), folder / ROWS_FILE)
        write_table(self.places, folder / PLACES_FILE)
        summary = {each.name: getattr(self, each.name) for each in fields(DataSummary)}
        return PreparedData(folder=folder, rows_digest=file_digest(folder / ROWS_FILE), **summary)

    def seal(self, folder: Path) -> None:
        """Lays the test rows down in `folder`, to which nothing that a worker is given may lead."""
        seal.write_test(self.tables.get("test"), folder)


def read_rows(path: Path) -> pa.Table:
    """The rows that `Rows.write` left at `path`; those of a version with one task alone as they would be now.

    Raises DataError where the file is missing or damaged.
    """
    rows = read_table(path)
    about = rows.schema.metadata
    if b"targets" in about:
        return rows
    labels = json.loads(about[b"labels"])
    counts = {
        split: {label: count[number] for number, label in enumerate(labels)}
        for split, count in _label_counts(rows).items()
    }
    learned = {"targets": json.dumps({"labels": labels}), "counts": json.dumps(counts)}
    names = ["target" if name == "label" else name for name in rows.column_names]
    return rows.rename_columns(names).replace_schema_metadata({"digest": about[b"digest"], **learned})


def read_places(folder: Path, split: str, rows: pa.Table) -> list[str]:
    """Where each of the `rows` of a split stands, such as `tickets.csv: line 17`, by row.

    Empty texts where what `Rows.write` has left in `folder` says nothing of just these rows, as that of a
    version before it.
    """
    try:
        places = read_table(folder / PLACES_FILE)
    except DataError:
        return [""] * len(rows)
    found: list[str] = places.filter(pc.equal(places["split"], split))["place"].to_pylist()
    same = places.schema.metadata[b"digest"] == rows.schema.metadata[b"digest"]
    return found if same and len(found) == len(rows) else [""] * len(rows)


def _label_counts(rows: pa.Table) -> dict[str, Counter[int]]:
    counts: dict[str, Counter[int]] = {}
    for split, number in zip(rows["split"].to_pylist(), rows["label"].to_pylist(), strict=True):
        counts.setdefault(split, Counter())[number] += 1
    return counts


def read_prepared(folder: Path) -> PreparedData:
    """What `Rows.write` left in `folder`, but for the test split, which stays sealed, and what was dropped.

    Raises DataError where it is missing or damaged.
    """
    rows = read_rows(folder / ROWS_FILE)
    about = rows.schema.metadata
    return PreparedData(
        targets=json.loads(about[b"targets"]),
        sizes=dict(Counter(rows["split"].to_pylist())),
        counts=json.loads(about[b"counts"]),
        digest=about[b"digest"].decode(),
        n_inputs=sum(name.startswith("input_") for name in rows.column_names),
        dropped=0,
        folder=folder,
        rows_digest=file_digest(folder / ROWS_FILE),
    )


def examine(spec: DataSpec, rules: TargetRules, frames: Mapping[str, pd.DataFrame] | None = None) -> Rows:
    """Loads, checks and splits the data. `rules` is the task: it says what the target column means.

    Splits that the data come with are kept. Where none is held out, validation and test are drawn; where only
    a test split comes with them, validation is; where only validation does, there is no test split.
    Rows that a later split has too are left out where `on_leak` says so (`leaks`).
    Raises DataError for everything about the data that the user has to fix.
    """
    loaded, dropped = _without_empties(load(spec, frames, _kinds(spec, rules)), spec)
    loaded = {name: _cleaned(split, spec, rules) for name, split in loaded.items()}
    splits, leaks = without_leaks(_with_drawn(loaded, spec, rules), spec)
    targets = rules.fit_targets(splits, spec.target)
    digest = _digest(splits, spec, targets)
    counts = {name: rules.occurrences(split.columns[spec.target], targets) for name, split in splits.items()}
    open_counts = {name: of_split for name, of_split in counts.items() if name != "test"}
    metadata = {"digest": digest, "targets": json.dumps(targets), "counts": json.dumps(open_counts)}
    total = sum((Counter(of_split) for of_split in counts.values()), Counter[str]())
    return Rows(
        tables={
            name: _table(split, name, spec, rules.target_array(split.columns[spec.target], targets), metadata)
            for name, split in splits.items()
        },
        places=_places(splits, digest),
        targets=targets,
        sizes={name: len(split) for name, split in splits.items()},
        counts=counts,
        digest=digest,
        n_inputs=len(spec.inputs),
        dropped=dropped,
        findings=(
            *(finding for split in loaded.values() for finding in split.findings),
            *rules.target_findings(spec.target, total),
            *leaks,
        ),
        splits=splits,
    )


def _cleaned(split: RawSplit, spec: DataSpec, rules: TargetRules) -> RawSplit:
    target = rules.clean_target(split, spec.target, spec.inputs)
    return replace(split, columns={**split.columns, spec.target: target})


def _kinds(spec: DataSpec, rules: TargetRules) -> dict[str, Kind]:
    """What the cells of the columns are."""
    return {**dict.fromkeys(spec.inputs, rules.spec.inputs), spec.target: rules.spec.target}


def _without_empties(loaded: Mapping[str, RawSplit], spec: DataSpec) -> tuple[dict[str, RawSplit], int]:
    needed = [*spec.inputs, spec.target, *([spec.split.group] if spec.split.group else [])]
    problems, kept, dropped = [], {}, 0
    for name, split in loaded.items():
        # A row may have an empty list of labels, but not of tokens.
        nothing = {column: (None, ()) if column in spec.inputs else (None,) for column in needed}
        empty = {
            column: np.array([cell in nothing[column] for cell in split.columns[column]]) for column in needed
        }
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
        if not any_empty.all():  # a test split of which every row is unlabeled is no test split
            kept[name] = split.keep(~any_empty) if any_empty.any() else split
    if problems:
        raise DataError(
            "\n".join([*problems, "Fill them in, or leave these rows out with data.on_empty: drop"])
        )
    return kept, dropped


def _with_drawn(loaded: Mapping[str, RawSplit], spec: DataSpec, rules: TargetRules) -> dict[str, RawSplit]:
    """All splits in order, those that the data lack drawn from train."""
    shares: dict[str, float] = {}
    if "validation" not in loaded:
        shares["validation"] = spec.split.validation
        if "test" not in loaded and spec.split.test > 0:
            shares["test"] = spec.split.test
    train = loaded["train"]
    splits = dict(loaded)
    if shares:
        chosen = _drawn(train, shares, spec, rules)
        splits |= {name: train.keep(chosen == name) for name in ("train", *shares)}
    return {name: splits[name] for name in SPLITS if name in splits}


def _drawn(train: RawSplit, shares: Mapping[str, float], spec: DataSpec, rules: TargetRules) -> np.ndarray:
    """The split of each row, a str array [n]."""
    group, cells = spec.split.group, train.columns[spec.target]
    strata = rules.strata(cells)
    names = [""] * len(train) if strata is None else strata
    # Groups are not torn apart for a few rows.
    free = [i for i, name in enumerate(names) if group or name is not None]
    chosen = np.full(len(train), "train", object)
    chosen[free] = draw(
        [names[i] or "" for i in free],
        shares,
        seed=spec.split.seed,
        stratify=spec.split.stratify and strata is not None,
        groups=[str(train.columns[group][i]) for i in free] if group else None,
        group_column=group or "",
        # Strata that are the targets themselves are labels.
        all_in_train=strata is not None and list(strata) == list(cells),
    )
    return chosen.astype(str)


def _digest(splits: Mapping[str, RawSplit], spec: DataSpec, targets: Targets) -> str:
    digest = hasher()
    # What else was learned follows from the cells, but for the last bits of a mean.
    labels = targets.get("labels")
    digest.update(json.dumps(["autoft rows 1", spec.inputs, spec.target, labels]).encode())
    for name, split in splits.items():
        digest.update(json.dumps([name, len(split)]).encode())
        for column in (*spec.inputs, spec.target):
            cells = [_bytes(cell) for cell in split.columns[column]]
            digest.update(np.array([len(cell) for cell in cells], "<i8").tobytes())
            for cell in cells:
                digest.update(cell)
    return digest.hexdigest()


def _bytes(cell: Cell) -> bytes:
    if isinstance(cell, bytes):
        return cell
    return (cell if isinstance(cell, str) else json.dumps(cell)).encode()


def _table(
    split: RawSplit, name: str, spec: DataSpec, target: pa.Array, metadata: Mapping[str, str]
) -> pa.Table:
    columns = {
        f"input_{i}": pa.array(split.columns[column], _arrow_type(split.columns[column]))
        for i, column in enumerate(spec.inputs)
    }
    columns |= {"target": target, "split": pa.repeat(pa.scalar(name), len(split))}
    return pa.table(columns).replace_schema_metadata(dict(metadata))


def _places(splits: Mapping[str, RawSplit], digest: str) -> pa.Table:
    tables = []
    for name in ("train", "validation"):
        split = splits[name]
        said = [f"{split.source}: {split.unit} {number}" for number in split.numbers.tolist()]
        column = pa.repeat(pa.scalar(name), len(split))
        tables.append(pa.table({"place": pa.array(said, pa.large_string()), "split": column}))
    return pa.concat_tables(tables).replace_schema_metadata({"digest": digest})


def _arrow_type(cells: Sequence[Cell]) -> pa.DataType:
    if any(isinstance(cell, bytes) for cell in cells):
        return pa.large_binary()
    text = pa.large_string()
    return pa.large_list(text) if any(isinstance(cell, tuple) for cell in cells) else text
