"""The five sets that curves are recorded on, each cut to a size that a hundred fine-tunings can afford."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from autoft.data.files import read_table
from autoft.data.prepare import examine
from autoft.data.seal import open_test
from autoft.spec.read import read_spec
from autoft.tasks.find import find_task

QUICKSTART = Path(__file__).parents[2] / "search_spaces" / "quickstart.yaml"
TEST_ROWS = 300
VALIDATION_ROWS = 300


@dataclass(frozen=True)
class CurveSet:
    """One set: where its rows come from, and what it is scored by."""

    name: str
    objective: str
    inputs: tuple[str, ...]
    rows: Callable[[Path], dict[str, pd.DataFrame]]
    """From the folder of public data sets to train, validation and test."""


def _quickstart(data: Path) -> dict[str, pd.DataFrame]:
    """Split as autoft splits it: 633 rows for training, 136 each for validation and test."""
    folder = data / "quickstart-split"
    examined = examine(read_spec(QUICKSTART).data, find_task("text-classification"))
    prepared = examined.write(folder)
    examined.seal(folder)
    rows = read_table(prepared.rows_path).to_pandas()
    test = open_test(folder, "experiments/curves").to_pandas()

    def named(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(
            {"text": frame["input_0"], "label": [prepared.targets["labels"][i] for i in frame["target"]]}
        )

    splits = {split: named(rows[rows["split"] == split]) for split in ("train", "validation")}
    return {**splits, "test": named(test)}


def _public(name: str, train_rows: int | None) -> Callable[[Path], dict[str, pd.DataFrame]]:
    """Rows of each split of a public set, drawn with a fixed seed; `None` keeps the training rows whole."""

    def rows(data: Path) -> dict[str, pd.DataFrame]:
        most = {"train": train_rows, "validation": VALIDATION_ROWS, "test": TEST_ROWS}
        splits = {}
        for split, limit in most.items():
            frame = pd.read_csv(data / name / f"{split}.csv", keep_default_na=False)
            splits[split] = frame if limit is None else frame.sample(limit, random_state=13)
        return splits

    return rows


def _pairs(data: Path) -> dict[str, pd.DataFrame]:
    """Do two messages of banking77 share their label? On this set all is at chance for the first epoch.

    Half of the rows share it. Half of the others pair labels that are easily confused: each label with the
    three whose messages have the nearest mean TF-IDF vector.
    """
    sizes = {"train": 1400, "validation": VALIDATION_ROWS, "test": TEST_ROWS}
    random = np.random.default_rng(13)
    frames = {split: pd.read_csv(data / "banking77" / f"{split}.csv") for split in sizes}
    near = _confused(frames["train"])
    splits = {}
    for split, size in sizes.items():
        texts = {label: group["text"].tolist() for label, group in frames[split].groupby("label")}
        labels = sorted(label for label, group in texts.items() if len(group) > 1)
        rows = []
        for number in range(size):
            first = int(random.choice(labels))
            kind = number % 4
            if kind < 2:
                a, b = random.choice(len(texts[first]), 2, replace=False)
                rows.append((texts[first][a], texts[first][b], "same"))
                continue
            others = [label for label in (near[first] if kind == 2 else labels) if label != first]
            second = int(random.choice([label for label in others if label in texts]))
            rows.append((random.choice(texts[first]), random.choice(texts[second]), "different"))
        splits[split] = pd.DataFrame(rows, columns=["first", "second", "label"])
    return splits


def _confused(train: pd.DataFrame) -> dict[int, list[int]]:
    """By label the three whose mean TF-IDF vectors are nearest."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(sublinear_tf=True).fit_transform(train["text"])
    labels = sorted(train["label"].unique())
    means = np.stack(
        [np.asarray(vectors[np.flatnonzero(train["label"] == each)].mean(axis=0)).ravel() for each in labels]
    )
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    likeness = means @ means.T - 2 * np.eye(len(labels))
    return {label: [labels[j] for j in np.argsort(-likeness[i])[:3]] for i, label in enumerate(labels)}


SETS = (
    CurveSet("quickstart", "macro_f1", ("text",), _quickstart),
    CurveSet("banking77_10shot", "macro_f1", ("text",), _public("banking77_10shot", None)),
    CurveSet("clinc_domains", "macro_f1", ("text",), _public("clinc_domains", 900)),
    CurveSet("sms_spam", "macro_f1", ("text",), _public("sms_spam", 900)),
    CurveSet("hard", "accuracy", ("first", "second"), _pairs),
)


def write_set(each: CurveSet, data: Path, folder: Path) -> dict[str, int]:
    """Writes train.csv, and validation.csv with the validation rows and behind them the test rows.

    A study never scores the test split. This experiment does, in the same pass as the validation split.

    Returns:
        Rows of each split.
    """
    splits = each.rows(data)
    folder.mkdir(parents=True, exist_ok=True)
    splits["train"].to_csv(folder / "train.csv", index=False)
    pd.concat([splits["validation"], splits["test"]]).to_csv(folder / "validation.csv", index=False)
    sizes = {split: len(frame) for split, frame in splits.items()}
    (folder / "sizes.json").write_text(json.dumps(sizes))
    return sizes
