"""From where the user said to rows: a file, a folder of split files, a hub dataset, data frames."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from autoft.data.formats import READERS, raw_split, read_file, with_groups
from autoft.data.hub import load_hub
from autoft.data.rows import RawSplit, require_columns
from autoft.errors import DataError
from autoft.spec.study import DataSpec
from autoft.spec.task import Kind

T = TypeVar("T")

SPLIT_NAMES: Mapping[str, tuple[str, ...]] = {
    "train": ("train",),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test",),
}
"""What a split file, a split of a hub dataset, or a key of `data` may be called."""


def load(
    spec: DataSpec, frames: Mapping[str, pd.DataFrame] | None = None, kinds: Mapping[str, Kind] = {}
) -> dict[str, RawSplit]:
    """The splits that the data come with: `train`, and `validation` and `test` where they are given.

    A single file is `train`. Only the inputs, the target, the group column and others that look like one are
    read, by their `kinds`; others are of text. A path in a cell is relative to the folder of the file that it
    stands in, in a data frame to the working directory.
    Raises DataError for everything that cannot be read.
    """
    wanted = list(
        dict.fromkeys([*spec.inputs, spec.target, *([spec.split.group] if spec.split.group else [])])
    )
    if frames is not None:
        read = {name: _from_frame(name, frame, wanted, kinds) for name, frame in frames.items()}
        return _named(read, "data")
    if spec.hub is not None:
        return _named(load_hub(spec, wanted, kinds), spec.hub)
    if spec.path is None:
        raise DataError("data: give a path, a hub dataset, or data frames")
    if spec.path.is_dir():
        files = split_files(spec.path)
        return {name: read_file(file, wanted, kinds) for name, file in files.items()}
    require_path(spec.path)
    return {"train": read_file(spec.path, wanted, kinds)}


def require_path(path: Path) -> None:
    """Raises DataError where there is nothing at `path`, with the nearest name."""
    if not path.exists():
        raise DataError(f"{path}: no such file or folder{_nearest(path)}")


def _named(splits: Mapping[str, T], source: str) -> dict[str, T]:
    """Splits under autoft's names; others (such as `unsupervised`) are left out."""
    named: dict[str, T] = {}
    for split, names in SPLIT_NAMES.items():
        found = [name for name in splits if name.casefold() in names]
        if len(found) > 1:
            raise DataError(f"{source}: {' and '.join(found)} are both the {split} split; keep one")
        if found:
            named[split] = splits[found[0]]
    if "train" not in named:
        has = ", ".join(splits) if splits else "nothing"
        raise DataError(f"{source}: there must be a split named train, got {has}")
    return named


def split_files(folder: Path) -> dict[str, Path]:
    """The files of a folder by split. Raises DataError where train is missing, or a split is there twice."""
    known = {name for names in SPLIT_NAMES.values() for name in names}
    files: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        name = file.stem.casefold()
        if name not in known or file.suffix.lower() not in READERS:
            continue
        if name in files:
            raise DataError(
                f"{folder}: {files[name].name} and {file.name} are both the {name} split; keep one"
            )
        files[name] = file
    if "train" not in files:
        has = ", ".join(sorted(file.name for file in folder.iterdir())[:10]) or "nothing"
        suffixes = ", ".join(f"train{suffix}" for suffix in READERS)
        raise DataError(f"{folder}: a folder of split files must hold one of {suffixes}; it holds: {has}")
    return _named(files, f"{folder.name}/")


def _from_frame(name: str, frame: pd.DataFrame, wanted: list[str], kinds: Mapping[str, Kind]) -> RawSplit:
    source = f'data["{name}"]'
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"{source}: must be a pandas DataFrame, got {type(frame).__name__}")
    if not any(name.casefold() in names for names in SPLIT_NAMES.values()):
        raise DataError(f"{source}: a split is one of {', '.join(SPLIT_NAMES)}, got `{name}`")
    names = [str(column) for column in frame.columns]
    require_columns(source, names, wanted)
    if frame.empty:
        raise DataError(f"{source} has no rows")
    at = {str(column): column for column in frame.columns}
    columns = {column: frame[at[column]].tolist() for column in with_groups(wanted, names)}
    return raw_split(source, "iloc", np.arange(len(frame), dtype=np.int64), columns, wanted, kinds=kinds)


def _nearest(path: Path) -> str:
    if not path.parent.is_dir():
        return f"; the folder {path.parent} does not exist either"
    names = [entry.name for entry in path.parent.iterdir()]
    matches = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {matches[0]}?" if matches else ""
