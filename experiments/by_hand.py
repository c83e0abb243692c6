"""Recomputes what a report says, without autoft: from Optuna's storage, the registry and the test rows.

    python experiments/by_hand.py STUDY --test test.csv --text text --label label

Run it where the search ran. It ends with 1 if a figure of the report is another. The scores of default and
baselines are not recomputed: their models are in no registry. A standard error is a bootstrap's here and may
be off by a fifth; all else has to be equal to the digits that are shown.
"""

import argparse
import html
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, median_low

import mlflow
import numpy as np
import optuna
import pandas as pd
from sklearn.metrics import f1_score

STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
DRAWS = 2000
Line = tuple[str, str, str, bool]
"""What, as the report says it, by hand, and whether they are the same."""


def main() -> None:
    """Prints a line a figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study")
    parser.add_argument("--test", type=Path, required=True, help="the test rows, as csv")
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    options = parser.parse_args()
    folder = Path("studies") / options.study
    said = _plain((folder / "report.html").read_text())
    rows = pd.read_csv(options.test)
    lines = [
        *_of_the_search(folder, options.study, said),
        *_of_the_confirmation(folder, options.study, said),
        *_of_the_test(options.study, rows[options.text], rows[options.label].astype(str), said),
    ]
    for what, reported, found, same in lines:
        print(f"{'same ' if same else 'OTHER'} {what}: report {reported}, by hand {found}")
    sys.exit(any(not same for *_, same in lines))


def _plain(page: str) -> str:
    """The page's words, with `|` for every tag."""
    return html.unescape(re.sub(r"[\s|]*\|[\s|]*", "|", re.sub(r"<[^>]+>", "|", page[page.index("<body") :])))


def _found(pattern: str, said: str) -> str:
    match = re.search(pattern, said)
    return match.group(1) if match else "nothing"


def _study(folder: Path, name: str) -> optuna.Study:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder / 'study.db'}")


def _of_the_search(folder: Path, name: str, said: str) -> Iterator[Line]:
    """How many trials there are of which state, and which has the best score."""
    trials = _study(folder, name).trials
    counts = Counter(STATES[trial.state.name] for trial in trials)
    told = _found(r"\|Trials\|([^|]+)\|", said)
    parts = ", ".join(f"{counts[state]} {state}" for state in STATES.values() if counts[state])
    yield _line("trials", told, f"{len(trials)}: {parts}")
    if not (folder / "confirm").exists():
        best = max((t for t in trials if t.state.name == "COMPLETE"), key=lambda t: (t.values[0], -t.number))
        yield _line("winner", _found(r"\|Trial (\d+) wins", said), str(best.number))
        score = f"{best.values[0]:.4f}"
        yield _line("its validation score", _found(r"(\d\.\d+) on validation rows", said), score)


def _of_the_confirmation(folder: Path, name: str, said: str) -> Iterator[Line]:
    """The mean over the fresh seeds of each configuration, and the median of the chosen one."""
    if not (folder / "confirm").exists():
        return
    of_each = defaultdict(list)
    for trial in _study(folder / "confirm", f"{name}/confirm").trials:
        if trial.state.name == "COMPLETE":
            of_each[str(trial.user_attrs["trial"]["values"])].append(trial.values[0])
    means = sorted((mean(scores) for scores in of_each.values() if len(scores) > 1), reverse=True)
    yield _line("best mean of fresh seeds", _found(r"mean \w+ (\d\.\d+) over", said), f"{means[0]:.4f}")
    yield _line("the next", _found(r"seeds against (\d\.\d+)", said), f"{means[1]:.4f}")
    best = max(of_each.values(), key=lambda scores: (len(scores) > 1, mean(scores)))
    score = f"{median_low(best):.4f}"
    yield _line("the registered replica's score", _found(r"(\d\.\d+) on validation rows", said), score)


def _of_the_test(name: str, texts: pd.Series, labels: pd.Series, said: str) -> Iterator[Line]:
    """What the registered model answers to the test rows, by its pipeline alone."""
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    aliases = mlflow.MlflowClient().get_registered_model(name).aliases
    version = aliases.get("champion") or aliases["candidate"]
    pipeline = mlflow.transformers.load_model(f"models:/{name}/{version}")
    answers = np.array([each["label"] for each in pipeline(list(texts), batch_size=32, truncation=True)])
    truth = labels.to_numpy()
    score = f1_score(truth, answers, average="macro", zero_division=0)
    yield _line("test score", _found(r"wins with macro_f1 (\d\.\d+) on the sealed", said), f"{score:.4f}")
    yield _line("test rows", _found(r"sealed test \(([\d,]+) rows", said), f"{len(truth):,}")
    by_label = {
        label: f1_score(truth == label, answers == label, zero_division=0) for label in sorted(set(truth))
    }
    for label, f1 in by_label.items():
        pattern = rf"\|{re.escape(label)}\|[\d.]+\|[\d.]+\|(\d\.\d+)\|\d+\|"
        yield _line(f"f1 of {label}", _found(pattern, said), f"{f1:.4f}")
    error, told = _bootstrap_error(truth, answers), _found(r"standard error (\d\.\d+)", said)
    yield "standard error", told, f"{error:.4f}", abs(float(told) - error) < 0.2 * error


def _bootstrap_error(truth: np.ndarray, answers: np.ndarray) -> float:
    random = np.random.default_rng(0)
    drawn = (random.integers(len(truth), size=len(truth)) for _ in range(DRAWS))
    scores = [f1_score(truth[rows], answers[rows], average="macro", zero_division=0) for rows in drawn]
    return float(np.std(scores, ddof=1))


def _line(what: str, reported: str, found: str) -> Line:
    return what, reported, found, reported == found


if __name__ == "__main__":
    main()
