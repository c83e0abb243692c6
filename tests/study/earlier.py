"""Real rows and real earlier studies, without training: the trials' numbers are written down in the tests."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna

from autoft.data.prepare import Rows, examine
from autoft.kernel.model_summary import ModelSummary
from autoft.spec.space import Value
from autoft.spec.study import DataSpec, ModelRef, StudySpec
from autoft.study.identity import identity_of
from autoft.study.layout import DATA, study_folder
from autoft.study.storage import open_study
from autoft.study.tuner import Tuner

from ..data.prepared import RULES
from .scripted import make_spec, measurement

MODEL = ModelSummary("tiny", "TinyForSequenceClassification", 2, "TinyLayer", 1000, {})
LABELS = ("red", "green")


def write_rows(folder: Path, **splits: Sequence[str]) -> Path:
    """A folder of csv files, one a split; labels take turns."""
    folder.mkdir()
    for split, texts in splits.items():
        with (folder / f"{split}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["text", "other", "label"])
            rows.writerows([text, "other", LABELS[i % 2]] for i, text in enumerate(texts))
    return folder


def three_splits(word: str) -> dict[str, list[str]]:
    """Rows of their own for each split, all with `word`."""
    sizes = {"train": 16, "validation": 4, "test": 4}
    return {split: [f"{word} {split} {i}" for i in range(size)] for split, size in sizes.items()}


def make_request(study: str, path: Path, inputs: tuple[str, ...] = ("text",), **changes: Any) -> StudySpec:
    """A request over the rows in `path`."""
    data = DataSpec(inputs=inputs, target="label", path=path)
    models = (ModelRef("tiny", "folder", "/models/tiny", weights="w", tokenizer="t"),)
    return replace(make_spec(study=study, data=data, models=models, trials=99), **changes)


def made(spec: StudySpec, trials: Sequence[tuple[Mapping[str, Value], Sequence[float]]]) -> optuna.Study:
    """The study in its folder, as a search leaves it: each trial's parameters and measurements.

    One whose last number is None was interrupted after the ones before.
    """
    rows: Rows = examine(spec.data, RULES)
    folder = study_folder(spec.study)
    first = tuple(dict(params) for params, _ in trials)
    asked = replace(spec, first=first)
    study = open_study(asked, folder, identity_of(asked, rows.digest))
    rows.write(folder / DATA)
    tuner = Tuner(study, asked, precision="fp32", callbacks=[], folder=folder, max_concurrent=len(trials) + 1)
    for _, values in trials:
        assignment = tuner.next()
        assert assignment is not None
        for index, value in enumerate(values, start=1):
            if value is not None:
                told = measurement(index, len(values), value)
                metrics = {spec.objective: value}
                tuner.measured(assignment.number, 1, replace(told, metrics=metrics), "node")
        if values[-1] is not None:
            tuner.completed(assignment.number, 1)
    return study
