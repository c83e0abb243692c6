"""The rows of a benchmark: split once, before any clock runs, and handed to every side as files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from autoft.data.values import natural_order

SPLITS = ("train", "validation")
HELD_OUT = 0.15
"""Share of a single csv's rows for validation; as much again is set aside, as autoft does for its test."""

FEW_LABELS = 4
"""Labels of a workload that keeps a few rows only."""


@dataclass(frozen=True)
class Rows:
    """One split, tokenized."""

    ids: list[list[int]]
    """Tokens of each row, special tokens included, cut at max_length."""
    labels: list[int]

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row, int64 [n]."""
        return np.array([len(row) for row in self.ids])


def write_rows(source: Path, text: str, label: str, folder: Path, limit: int | None = None) -> Path:
    """Writes train.csv and validation.csv with the columns text and label to `folder`, and returns it.

    Args:
        source: a csv, which is split by a fixed seed, or a folder with train.csv and validation.csv.
        text: the column of the input.
        label: the column of the label.
        folder: made if need be.
        limit: rows of each split to keep, of a few labels; None is all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for split, frame in zip(SPLITS, _splits(source, label), strict=True):
        renamed = pd.DataFrame({"text": frame[text], "label": frame[label]})
        kept = renamed if limit is None else _few(renamed, limit)
        kept.to_csv(folder / f"{split}.csv", index=False)
    return folder


def _few(frame: pd.DataFrame, limit: int) -> pd.DataFrame:
    """About `limit` rows of the first few labels, as many of each, so that every split has them all."""
    labels = sorted(set(frame["label"]))[:FEW_LABELS]
    return frame[frame["label"].isin(labels)].groupby("label").head(limit // FEW_LABELS)


def _splits(source: Path, label: str) -> list[pd.DataFrame]:
    if source.is_dir():
        return [pd.read_csv(source / f"{split}.csv") for split in SPLITS]
    frame = pd.read_csv(source)
    rest, validation = train_test_split(frame, test_size=HELD_OUT, stratify=frame[label], random_state=13)
    share = HELD_OUT / (1 - HELD_OUT)
    train, _ = train_test_split(rest, test_size=share, stratify=rest[label], random_state=13)
    return [train, validation]


def read_rows(folder: Path, split: str) -> pd.DataFrame:
    """One split, with text and, in place of the label, its index in `label_names`."""
    frame = _read(folder, split)
    index = {name: number for number, name in enumerate(label_names(folder))}
    return frame.assign(label=frame["label"].map(index))


def label_names(folder: Path) -> list[str]:
    """All labels of all splits, in autoft's order: the heads that both sides draw are about the same."""
    return list(natural_order(label for split in SPLITS for label in _read(folder, split)["label"]))


def tokenize(folder: Path, split: str, tokenizer: Any, max_length: int) -> Rows:
    """One split as token ids, without padding."""
    frame = read_rows(folder, split)
    encoded = tokenizer(frame["text"].tolist(), truncation=True, max_length=max_length)
    return Rows(encoded["input_ids"], frame["label"].tolist())


def _read(folder: Path, split: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{split}.csv", dtype={"text": str, "label": str}, keep_default_na=False)
