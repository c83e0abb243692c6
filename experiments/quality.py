"""Is the winner worth the night? The champion against the classical baseline on the same rows.

    python experiments/quality.py                         # quickstart, five split seeds, paired
    python experiments/quality.py --data FOLDER --seeds 13   # a folder of given split files

Each seed is a whole search of its own. Both sides choose on the validation split alone: autoft its
configuration and moment, logistic regressions on TF-IDF their C. The test split is opened once for each
search, after it.
"""

import argparse
import contextlib
import json
import os
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score

import autoft
from autoft.data.encoded import Encoded
from autoft.data.files import read_table
from autoft.data.seal import open_test
from autoft.spec.read import read_spec
from autoft.study.layout import sealed_folder
from autoft.tasks.classification import encoded_labels
from autoft.tasks.find import find_task
from autoft.tasks.protocol import Model

QUICKSTART = Path(__file__).parents[1] / "search_spaces" / "quickstart.yaml"
TASK = find_task("text-classification")


@dataclass(frozen=True)
class Scores:
    """Of one model on one split, percent of 1."""

    macro_f1: float
    accuracy: float


@dataclass(frozen=True)
class Comparison:
    """Both models on both splits of one seed."""

    seed: int
    classical: dict[str, Scores]
    champion: dict[str, Scores]


def main() -> None:
    """Runs the searches and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, help="a folder with train, validation and test csv (text, label)"
    )
    parser.add_argument("--space", type=Path, default=QUICKSTART)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--override", "-o", action="append", default=[])
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    overrides = list(args.override)
    if args.data:
        overrides += [f"data.path={args.data.resolve()}", "data.target=label"]
    comparisons = [compare(args.space.resolve(), seed, overrides) for seed in args.seeds]
    report(comparisons)
    if args.json:
        args.json.write_text(json.dumps([_plain(c) for c in comparisons], indent=2))


def compare(space: Path, seed: int, overrides: list[str]) -> Comparison:
    """One search in an empty folder, and the classical baseline on the same rows."""
    overrides = [*overrides, f"study=quality-{seed}", f"data.split.seed={seed}", f"search.seed={seed}"]
    if len(read_spec(space, overrides).data.inputs) != 1:
        raise SystemExit("this comparison is for one text column")
    with working_in_a_temporary_folder() as folder:
        autoft.search(space, overrides=overrides)
        champion = autoft.load_best_model(f"quality-{seed}")
        rows = read_table(folder / "studies" / f"quality-{seed}" / "data" / "rows.arrow")
        sealed = open_test(sealed_folder(f"quality-{seed}"), "experiments/quality.py")
        train, validation = (
            rows.filter(pa.compute.equal(rows["split"], split)) for split in ("train", "validation")
        )
        labels = json.loads(rows.schema.metadata[b"targets"])["labels"]
        model = fit_classical(train, validation, labels)
        held_out = {"validation": validation, "test": sealed}
        return Comparison(
            seed,
            {
                split: _scores(of, labels, classical_labels(model, of, labels))
                for split, of in held_out.items()
            },
            {
                split: _scores(
                    of, labels, [answer["label"] for answer in champion(of["input_0"].to_pylist())]
                )
                for split, of in held_out.items()
            },
        )


def fit_classical(train: pa.Table, validation: pa.Table, labels: list[str]) -> Model:
    """The classical baseline with the C that is best for macro F1 on the validation split."""
    models = TASK.baselines["classical"](train, _encoded(train), {"labels": labels})
    truth = _encoded(validation)
    return max(
        models,
        key=lambda model: TASK.score(model(validation, truth), truth.targets, {"labels": labels})["macro_f1"],
    )


def classical_labels(model: Model, rows: pa.Table, labels: list[str]) -> list[str]:
    """What the baseline answers."""
    return [labels[i] for i in model(rows, _encoded(rows))["logits"].argmax(axis=1)]


def _encoded(rows: pa.Table) -> Encoded:
    """Without tokens, which a baseline on texts does not read."""
    return Encoded({}, encoded_labels(rows), np.zeros(len(rows), np.int64))


def report(comparisons: list[Comparison]) -> None:
    """A row a seed, then the paired gain on test with its 95 % interval (Student's t)."""
    print(
        f"{'seed':>6} {'split':<11} {'TF-IDF F1':>9} {'autoft F1':>10} {'TF-IDF acc':>10} {'autoft acc':>11}"
    )
    for c in comparisons:
        for split in ("validation", "test"):
            classical, champion = c.classical[split], c.champion[split]
            print(
                f"{c.seed:>6} {split:<11} {classical.macro_f1:>9.4f} {champion.macro_f1:>10.4f} "
                f"{classical.accuracy:>10.4f} {champion.accuracy:>11.4f}"
            )
    gains = [c.champion["test"].macro_f1 - c.classical["test"].macro_f1 for c in comparisons]
    mean = statistics.mean(gains)
    print(f"mean gain in test macro-F1: {mean:+.4f}", end="")
    if len(gains) > 1:
        error = statistics.stdev(gains) / len(gains) ** 0.5
        half = error * stats.t.ppf(0.975, len(gains) - 1)
        print(f", 95 % interval {mean - half:+.4f} to {mean + half:+.4f} over {len(gains)} seeds", end="")
    print()


@contextlib.contextmanager
def working_in_a_temporary_folder() -> Iterator[Path]:
    """Outputs go to the working directory; this one is thrown away."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


def _scores(rows: pa.Table, labels: list[str], predicted: list[str]) -> Scores:
    truth = [labels[i] for i in rows["target"].to_pylist()]
    return Scores(float(f1_score(truth, predicted, average="macro")), float(accuracy_score(truth, predicted)))


def _plain(c: Comparison) -> dict[str, object]:
    sides = {"classical": c.classical, "champion": c.champion}
    return {"seed": c.seed} | {name: {k: vars(v) for k, v in side.items()} for name, side in sides.items()}


if __name__ == "__main__":
    main()
