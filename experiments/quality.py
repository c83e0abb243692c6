"""Is the winner worth the night? The champion against a TF-IDF + linear SVM on the same rows.

    python experiments/quality.py                         # quickstart, five split seeds, paired
    python experiments/quality.py --data FOLDER --seeds 13   # a folder of given split files

Each seed is a whole search of its own. Both sides choose on the validation split alone: autoft its
configuration and moment, the SVM its features and C. The test split is opened once for each search, after it.
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

import pyarrow as pa
from scipy import stats
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.svm import LinearSVC

import autoft
from autoft.data.files import read_table
from autoft.data.seal import open_test
from autoft.spec.read import read_spec
from autoft.study.layout import sealed_folder

QUICKSTART = Path(__file__).parents[1] / "search_spaces" / "quickstart.yaml"
SVM_C = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True)
class Scores:
    """Of one model on one split, percent of 1."""

    macro_f1: float
    accuracy: float


@dataclass(frozen=True)
class Comparison:
    """Both models on both splits of one seed."""

    seed: int
    svm: dict[str, Scores]
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
    """One search in an empty folder, and the SVM on the same rows."""
    overrides = [*overrides, f"study=quality-{seed}", f"data.split.seed={seed}", f"search.seed={seed}"]
    n_inputs = len(read_spec(space, overrides).data.inputs)
    with working_in_a_temporary_folder() as folder:
        autoft.search(space, overrides=overrides)
        champion = autoft.load_best_model(f"quality-{seed}")
        data = folder / "studies" / f"quality-{seed}" / "data"
        sealed = sealed_folder(f"quality-{seed}")
        rows = read_table(data / "rows.arrow")
        labels = json.loads(rows.schema.metadata[b"targets"])["labels"]
        held_out = {
            "validation": _texts(
                rows.filter(pa.compute.equal(rows["split"], "validation")), labels, n_inputs
            ),
            "test": _texts(open_test(sealed, "experiments/quality.py"), labels, n_inputs),
        }
        train = _texts(rows.filter(pa.compute.equal(rows["split"], "train")), labels, n_inputs)
        svm = fit_svm(*train, *held_out["validation"])
        return Comparison(
            seed,
            {split: _scores(truth, svm.predict(texts)) for split, (texts, truth) in held_out.items()},
            {
                split: _scores(truth, [answer["label"] for answer in champion(texts)])
                for split, (texts, truth) in held_out.items()
            },
        )


def fit_svm(
    texts: list[str], labels: list[str], validation_texts: list[str], validation_labels: list[str]
) -> Pipeline:
    """TF-IDF of words, of characters or of both, and a linear SVM, all chosen on the validation split."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    candidates = [
        make_pipeline(clone(features), LinearSVC(C=c)).fit(texts, labels)
        for features in (words, characters, make_union(words, characters))
        for c in SVM_C
    ]
    return max(candidates, key=lambda m: _scores(validation_labels, m.predict(validation_texts)).macro_f1)


def report(comparisons: list[Comparison]) -> None:
    """A row a seed, then the paired gain on test with its 95 % interval (Student's t)."""
    print(f"{'seed':>6} {'split':<11} {'SVM F1':>8} {'autoft F1':>10} {'SVM acc':>8} {'autoft acc':>11}")
    for c in comparisons:
        for split in ("validation", "test"):
            svm, champion = c.svm[split], c.champion[split]
            print(
                f"{c.seed:>6} {split:<11} {svm.macro_f1:>8.4f} {champion.macro_f1:>10.4f} "
                f"{svm.accuracy:>8.4f} {champion.accuracy:>11.4f}"
            )
    gains = [c.champion["test"].macro_f1 - c.svm["test"].macro_f1 for c in comparisons]
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


def _texts(rows: pa.Table, labels: list[str], n_inputs: int) -> tuple[list[str], list[str]]:
    if n_inputs != 1:
        raise SystemExit("this comparison is for one text column: the SVM reads only one")
    return rows["input_0"].to_pylist(), [labels[i] for i in rows["target"].to_pylist()]


def _scores(truth: list[str], predicted: list[str]) -> Scores:
    return Scores(float(f1_score(truth, predicted, average="macro")), float(accuracy_score(truth, predicted)))


def _plain(c: Comparison) -> dict[str, object]:
    sides = {"svm": c.svm, "champion": c.champion}
    return {"seed": c.seed} | {name: {k: vars(v) for k, v in side.items()} for name, side in sides.items()}


if __name__ == "__main__":
    main()
