"""Several labels for a text: metrics against scikit-learn's, and above which threshold a label is given."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import bootstrap
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, log_loss

from autoft.data.batch import Batch
from autoft.data.prepare import examine
from autoft.errors import DataError
from autoft.kernel.pretrained import load_pretrained
from autoft.spec.study import DataSpec, SplitSpec
from autoft.tasks.find import find_task
from autoft.tasks.multi_label.metrics import metric_of
from autoft.tasks.multi_label.threshold import best_threshold
from autoft.tasks.predictions import predictions

from ..kernel.tiny import save_pretrained, tiny_tokenizer
from .toys import VALUES, toy_rows

TASK = find_task("multi-label")
LABELS = ["a", "b", "c", "d"]
GIVEN = {
    "micro_f1": lambda true, given: f1_score(true, given, average="micro", zero_division=0),
    "macro_f1": lambda true, given: f1_score(true, given, average="macro", zero_division=np.nan),
    "exact_match": accuracy_score,
}
"""What needs a threshold."""
RANKED = {
    "mean_average_precision": lambda true, chances: average_precision_score(true, chances, average="macro"),
    "log_loss": lambda true, chances: log_loss(true.ravel(), chances.ravel(), labels=[0, 1]),
}


def answered(rows=150, labels=4, sureness=1.5, seed=0, digits=8):
    """Labels of falling frequency, and a model's probabilities for them; few digits make equal ones."""
    rng = np.random.default_rng(seed)
    true = (rng.random((rows, labels)) < np.linspace(0.5, 0.1, labels)).astype(np.int8)
    logits = sureness * (2 * true - 1) + 1.5 * rng.normal(size=true.shape) - 0.5
    return true, (1 / (1 + np.exp(-logits))).round(digits).astype(np.float32)


def decided(chances, true, objective="micro_f1"):
    found = {"probabilities": chances}
    return TASK.decide(found, (found, {"labels": true}), objective)


def scored(chances, true, objective="micro_f1"):
    return TASK.score(decided(chances, true, objective), {"labels": true}, {"labels": LABELS})


def micro_threshold(chances, true):
    return best_threshold("micro_f1", chances, true)


def expected(chances, true):
    """By scikit-learn, with the threshold of all that is best by its micro F1."""
    thresholds = [0.0, *np.unique(chances).astype(float)]
    best = max(thresholds, key=lambda each: GIVEN["micro_f1"](true, chances > np.float32(each)))
    given = (chances > np.float32(best)).astype(np.int8)
    found = {name: of(true, given) for name, of in GIVEN.items()}
    return found | {name: of(true, chances.astype(np.float64)) for name, of in RANKED.items()}


@pytest.mark.parametrize("digits", [8, 1])
@pytest.mark.parametrize("seed", range(3))
def test_metrics_are_those_of_scikit_learn_equal_probabilities_included(seed, digits):
    true, chances = answered(seed=seed, digits=digits)
    chances = chances.clip(0.01, 0.99)
    assert set(GIVEN) | set(RANKED) == set(TASK.spec.metrics)
    assert scored(chances, true) == pytest.approx(expected(chances, true), abs=1e-6)


@pytest.mark.parametrize("objective", ["macro_f1", "exact_match"])
@pytest.mark.parametrize("digits", [8, 1])
def test_the_threshold_is_the_best_for_the_objective_by_scikit_learn(objective, digits):
    true, chances = answered(40, labels=6, digits=digits)
    true[:, 5] = 0  # a label that no row has, and some are given
    chances = chances.clip(0.01, 0.99)
    found = scored(chances, true, objective)[objective]
    best = max(GIVEN[objective](true, chances > np.float32(each)) for each in (0, *np.unique(chances)))
    assert found == pytest.approx(best, abs=1e-6)
    for other in RANKED:  # they need none: the scores beside them are those of micro F1
        assert decided(chances, true, other)["threshold"][0] == micro_threshold(chances, true)


def test_a_model_that_cannot_tell_rows_apart_gains_nothing_by_their_order():
    true = np.array([[1], [1], [0], [0], [0], [0]], np.int8)  # those with the label come first
    found = scored(np.full((6, 1), 0.3, np.float32), true)
    assert found["mean_average_precision"] == pytest.approx(2 / 6)


def test_labels_that_no_row_has_and_no_row_is_given_do_not_count():
    true = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0]], np.int8)
    chances = np.array([[0.9, 0.2, 0.1], [0.8, 0.7, 0.1], [0.1, 0.9, 0.1]], np.float32)
    found = scored(chances, true)
    assert [found[name] for name in ("macro_f1", "micro_f1", "exact_match")] == [1, 1, 1]
    assert found["mean_average_precision"] == 1


@pytest.mark.parametrize("metric", TASK.spec.metrics)
def test_the_error_is_that_of_scipy_s_bootstrap(metric):
    true, chances = answered()
    answers = chances.astype(np.float64)
    if metric in GIVEN:
        answers = answers > micro_threshold(chances, true)
    of = (GIVEN | RANKED)[metric]
    drawn = bootstrap(
        (np.arange(len(true)),), lambda rows: of(true[rows], answers[rows]), vectorized=False,
        n_resamples=300, rng=1,
    )  # fmt: skip
    # Of 100 draws against 300: sqrt(1 / 200 + 1 / 600) = 8 % apart, and three times that.
    found = TASK.error(metric, decided(chances, true), {"labels": true})
    assert found == pytest.approx(drawn.standard_error, rel=0.24)


@pytest.mark.parametrize("metric", TASK.spec.metrics)
def test_differences_are_of_both_models_on_the_same_rows(metric):
    true, chances = answered()
    better = chances + (true - chances) / 2
    one, other, encoded = decided(better, true), decided(chances, true), {"labels": true}
    found = TASK.differences(metric, (one, encoded), (other, encoded), 300)
    apart = scored(better, true)[metric] - scored(chances, true)[metric]
    assert found.mean() == pytest.approx(apart, abs=4 * found.std() / math.sqrt(300) + 0.005)
    assert TASK.differences(metric, (one, encoded), (one, encoded), 10).tolist() == [0.0] * 10


@pytest.mark.parametrize("metric", TASK.spec.metrics)
def test_many_draws_at_once_have_the_scores_that_their_rows_have(metric):
    true, chances = answered(40, digits=1)
    chances = chances.clip(0.01, 0.99)
    draws = np.random.default_rng(0).multinomial(40, np.full(40, 1 / 40), size=20).astype(float)
    threshold = micro_threshold(chances, true)
    found = metric_of(metric, chances, true, threshold)(draws)
    for value, counts in zip(found, draws, strict=True):
        rows = np.repeat(np.arange(40), counts.astype(int))
        answers = chances.astype(float) > threshold if metric in GIVEN else chances
        there = (true[rows].sum(axis=0) > 0) | (metric != "mean_average_precision")
        assert value == pytest.approx(
            (GIVEN | RANKED)[metric](true[rows][:, there], answers[rows][:, there]), abs=1e-6
        )


def test_without_finite_answers_there_is_no_metric():
    true, chances = answered(10)
    chances[2, 1] = np.nan
    assert all(math.isnan(value) for value in scored(chances, true).values())
    assert TASK.error("micro_f1", decided(chances, true), {"labels": true}) is None


def test_the_threshold_is_where_micro_f1_is_highest_between_two_probabilities():
    # Given from the top: right, right, wrong, right. F1 of the first so many: 1/2, 4/5, 2/3, 6/7.
    chances = np.array([[0.9, 0.4], [0.7, 0.6]], np.float32)
    assert micro_threshold(chances, np.array([[1, 1], [1, 0]])) == pytest.approx(0.2)
    # Without the last one two of three are there and right: best is 0.65.
    assert micro_threshold(chances, np.array([[1, 0], [1, 0]])) == pytest.approx(0.65)


def test_macro_f1_and_whole_rows_have_thresholds_of_their_own():
    # From the top: right, wrong, wrong, right. Micro F1 2/3, 1/2, 2/5, 2/3, so the first; of macro F1 the
    # first label has 1, 2/3, 1/2, 1/2, and the other 1 in the end: 1/2, 1/3, 1/4, 3/4.
    chances, true = np.array([[0.9, 0.3], [0.8, 0.2], [0.7, 0.1]]), np.array([[1, 1], [0, 0], [0, 0]])
    assert micro_threshold(chances, true) == pytest.approx(0.85)
    assert best_threshold("macro_f1", chances, true) == pytest.approx(0.25)
    # Two rows are right while nothing is given, or while 0.9 is; then fewer. Of two as good it is the first.
    assert best_threshold("exact_match", chances, true) == pytest.approx(0.95)
    assert best_threshold("exact_match", chances, np.array([[1, 0], [0, 0], [0, 0]])) == pytest.approx(0.85)


def test_equal_probabilities_are_given_together_and_neighbors_apart():
    chances = np.array([[0.5, 0.5, 0.4]], np.float32)
    assert micro_threshold(chances, np.array([[1, 0, 0]])) == pytest.approx(0.45)
    # Between neighbors there is no number of float32: their mean is the one that is even, of two pairs each.
    first = np.float32(0.7)
    second = np.nextafter(first, np.float32(0))
    for pair in ([first, second], [second, np.nextafter(second, np.float32(0))]):
        close, true = np.array([pair] * 2), np.array([[1, 0]] * 2)
        assert (close.astype(float) > micro_threshold(close, true)).tolist() == [[True, False]] * 2
        assert scored(close, true)["exact_match"] == 1


def test_the_loss_of_a_row_is_the_mean_of_its_labels_and_rows_add_up():
    logits = torch.tensor([[0.0, math.log(4)], [math.log(9), 0.0]])
    labels = torch.tensor([[0, 1], [1, 1]])

    def summed(rows):
        return TASK.loss({"logits": logits[rows]}, Batch({}, {"labels": labels[rows]}), {}).item()

    # Probabilities 0.5 and 0.8, 0.9 and 0.5, all of them of what is true.
    first, second = -(math.log(0.5) + math.log(0.8)) / 2, -(math.log(0.9) + math.log(0.5)) / 2
    assert [summed(slice(0, 1)), summed(slice(1, 2))] == pytest.approx([first, second])
    assert summed(slice(0, 2)) == pytest.approx(first + second)
    assert TASK.weight({"labels": labels.numpy()}) == 2
    guess = TASK.loss({"logits": torch.zeros(2, 2)}, Batch({}, {"labels": labels}), {}).item() / 2
    assert guess == pytest.approx(TASK.guess_loss({"labels": LABELS}))


def test_the_output_layer_begins_with_each_label_s_share_in_train():
    # 1 of 3 rows and 3 of 3: (1 + 0.5) / (3 + 1) and (3 + 0.5) / (3 + 1) as odds; finite also for 3 of 3.
    bias = TASK.output_bias({"labels": np.array([[0, 1], [0, 1], [1, 1]])})
    assert bias == pytest.approx([math.log(1.5 / 2.5), math.log(3.5 / 0.5)])
    assert bias.dtype == np.float32


def of_lists(train, **others):
    frames = {
        name: pd.DataFrame({"text": [f"{name} {i}" for i in range(len(rows))], "tags": rows})
        for name, rows in {"train": train, **others}.items()
    }
    return examine(DataSpec(inputs=("text",), target="tags"), TASK, frames)


def test_labels_become_columns_of_ones_and_a_row_may_have_none():
    data = of_lists([["b ", "a10"], [], ["a9"], ["b", "b"]], validation=[["a9", "b"], []])
    assert data.targets == {"labels": ["a9", "a10", "b"]}
    encoded = TASK.encode(data.tables["train"], tiny_tokenizer(), data.targets, VALUES)
    assert encoded.targets["labels"].tolist() == [[0, 1, 1], [0, 0, 0], [1, 0, 0], [0, 0, 1]]
    assert data.counts == {"train": {"a9": 1, "a10": 1, "b": 2}, "validation": {"a9": 1, "a10": 0, "b": 1}}


def test_the_order_of_a_row_s_labels_does_not_count():
    data = [of_lists([row, ["c"]], validation=[["c"]]) for row in (["a", "b"], ["b", "a", "b"])]
    assert data[0].digest == data[1].digest
    frames = {
        "train": pd.DataFrame({"text": ["same", "same", "other"], "tags": [["a", "b"], ["b", "a"], ["c"]]}),
        "validation": pd.DataFrame({"text": ["new"], "tags": [["a"]]}),
    }
    (finding,) = examine(DataSpec(inputs=("text",), target="tags"), TASK, frames).findings
    assert finding.counts == {"train": 1, "relabeled": 0}


def test_rare_labels_are_in_every_split():
    rows = [["often"] if i % 3 else ["often", "other"] for i in range(100)]
    rows[10], rows[20], rows[30] = ["often", "rare"], ["rare"], ["rare", "other"]
    for seed in range(5):
        frame = pd.DataFrame({"text": [f"text {i}" for i in range(100)], "tags": rows})
        spec = DataSpec(inputs=("text",), target="tags", split=SplitSpec(seed=seed))
        counts = examine(spec, TASK, {"train": frame}).counts
        assert [counts[split]["rare"] for split in ("train", "validation", "test")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", 'text,tags\na,"[""x""]"\nb,x\n', r"^t\.csv: line 3: column `tags` must be a JSON list"),
        ("t.csv", 'text,tags\na,"[""x"", """"]"\n', r"^t\.csv: line 2: .*element 2 of the list is empty"),
        ("t.csv", 'text,tags\na,"[""x""]"\nb,\n', r"1 of 2 rows has an empty cell \(`tags` in 1\): line 3"),
        ("t.jsonl", '{"text": "a", "tags": ["x", null]}\n', r"^t\.jsonl: line 1: .*element 2 .* is empty"),
        ("t.jsonl", '\n{"text": "a", "tags": "x"}\n', r"^t\.jsonl: line 2: .*must be a JSON list"),
        ("t.jsonl", '{"text": "a", "tags": []}\n' * 9, r"column `tags` has no label in any training row"),
        ("t.jsonl", '{"text": "a", "tags": ["x"]}\n' * 9, r"has one label only \(`x`\)"),
    ],
)  # fmt: skip
def test_what_is_no_list_of_labels_is_refused_with_its_line(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        examine(DataSpec(inputs=("text",), target="tags", path=tmp_path / name), TASK)


def test_a_label_that_train_lacks_is_refused_with_its_line(tmp_path):
    for split, label in (("train", "x"), ("validation", "z")):
        row = json.dumps({"text": split, "tags": [label]})
        (tmp_path / f"{split}.jsonl").write_text(f"{row}\n")
    with pytest.raises(DataError, match=r"^validation\.jsonl: `z` of column `tags` .* \(line 1\)"):
        examine(DataSpec(inputs=("text",), target="tags", path=tmp_path), TASK)


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_a_finished_model_gives_the_labels_above_its_threshold(tmp_path, name):
    rows = toy_rows("multi-label")
    loaded = load_pretrained(save_pretrained(name, tmp_path), rows.targets, TASK, rows.tables["train"])
    few, labels = rows.tables["validation"], rows.targets["labels"]
    answers = predictions(TASK, loaded.model, loaded.processor, few, rows.targets, VALUES)
    chances, encoded = answers[0]["probabilities"], answers[1].targets["labels"]
    for objective in ("macro_f1", "micro_f1"):
        TASK.finish(loaded.model, rows.targets, lambda: answers, objective)
        threshold = loaded.model.config.threshold
        assert threshold == best_threshold(objective, chances, encoded)
    pipeline, texts = TASK.pipeline(loaded.model, loaded.processor), few["input_0"].to_pylist()

    def above(threshold):
        return [{label for label, one in zip(labels, row, strict=True) if one > threshold} for row in chances]

    said = pipeline(texts)
    assert [{each["label"] for each in given} for given in said] == above(threshold)
    for given, row in zip(said, chances, strict=True):
        assert [each["score"] for each in given] == pytest.approx(sorted(row[row > threshold])[::-1])
    loaded.model.config.threshold = 1.0
    assert pipeline(texts[:2]) == [[], []]
    del loaded.model.config.threshold
    assert [{each["label"] for each in given} for given in pipeline(texts)] == above(0.5)
