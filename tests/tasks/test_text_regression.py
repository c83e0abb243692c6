"""Numbers for texts: metrics against scikit-learn's and scipy's, and a scale that ends in the head."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import bootstrap, pearsonr, spearmanr
from sklearn.metrics import mean_absolute_error, mean_squared_error

from autoft.data.batch import Batch, collate
from autoft.data.prepare import examine
from autoft.errors import DataError, ModelError
from autoft.kernel.pretrained import load_pretrained
from autoft.spec.study import DataSpec
from autoft.tasks.find import find_task
from autoft.tasks.predictions import predictions

from ..kernel.tiny import save_pretrained, tiny_tokenizer
from .toys import VALUES, toy_rows

TASK = find_task("text-regression")
TARGETS = {"name": "price", "mean": 100.0, "deviation": 20.0, "ranges": [(60, 100), (100, 140)]}
METRICS = {
    "pearson": lambda true, given: pearsonr(true, given).statistic,
    "spearman": lambda true, given: spearmanr(true, given).statistic,
    "rmse": lambda true, given: math.sqrt(mean_squared_error(true, given)),
    "mae": mean_absolute_error,
}


def answered(rows=200, noise=1.0, seed=0):
    """Ratings from 1 to 5, many of them equal, and what a model says."""
    rng = np.random.default_rng(seed)
    true = rng.integers(1, 6, size=rows).astype(float)
    return true, true + noise * rng.normal(size=rows).round(1)


def scored(given, true):
    return TASK.score({"number": np.asarray(given)}, {"number": np.asarray(true)}, TARGETS)


def prepared(numbers, **others):
    """Each split with these numbers; their texts differ."""
    frames = {
        name: pd.DataFrame({"text": [f"{name} {i}" for i in range(len(column))], "price": column})
        for name, column in {"train": numbers, **others}.items()
    }
    return examine(DataSpec(inputs=("text",), target="price"), TASK, frames)


def test_metrics_are_those_of_scikit_learn_and_scipy():
    true, given = answered()
    assert set(METRICS) == set(TASK.spec.metrics)
    assert scored(given, true) == pytest.approx({name: of(true, given) for name, of in METRICS.items()})


@pytest.mark.parametrize("metric", METRICS)
def test_the_error_is_that_of_scipy_s_bootstrap(metric):
    true, given = answered()
    of = METRICS[metric]
    expected = bootstrap(
        (true, given), lambda *pair: of(*pair), paired=True, vectorized=False, n_resamples=300, rng=1
    ).standard_error
    # Of 100 draws against 300: 8 % apart, three times that; `spearman` keeps its ranks, which makes little.
    found = TASK.error(metric, {"number": given}, {"number": true})
    assert found == pytest.approx(expected, rel=0.24)


@pytest.mark.parametrize("metric", METRICS)
def test_differences_are_of_both_models_on_the_same_rows(metric):
    true, given = answered()
    better = (given + true) / 2
    one, other, encoded = {"number": better}, {"number": given}, {"number": true}
    found = TASK.differences(metric, (one, encoded), (other, encoded), 300)
    expected = METRICS[metric](true, better) - METRICS[metric](true, given)
    assert found.mean() == pytest.approx(expected, abs=4 * found.std() / math.sqrt(300) + 0.01)
    # What the two have in common cancels out.
    assert found.std() < TASK.error(metric, other, encoded)
    assert TASK.differences(metric, (one, encoded), (one, encoded), 10).tolist() == [0.0] * 10


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_without_finite_answers_there_is_no_metric(broken):
    true, given = answered(20)
    given[3] = broken
    found = scored(given, true)
    assert set(found) == set(METRICS)
    assert all(math.isnan(value) for value in found.values())
    for metric in METRICS:
        assert TASK.error(metric, {"number": given}, {"number": true}) is None


@pytest.mark.parametrize("always", [0.0, 0.1, 1234.567])  # whose mean is not always exactly itself
def test_a_model_that_always_says_the_same_has_no_correlation(always):
    true, _ = answered(101)
    found = scored(np.full(101, always), true)
    assert (found["pearson"], found["spearman"]) == (0, 0)
    assert TASK.error("pearson", {"number": np.full(101, always)}, {"number": true}) == 0


def test_the_loss_is_the_sum_of_squared_errors_so_pieces_add_up_to_the_whole():
    logits = torch.tensor([[0.5], [2.0], [-1.0]])
    scaled = torch.tensor([1.0, 0.0, -1.0])

    def summed(rows):
        return TASK.loss({"logits": logits[rows]}, Batch({}, {"scaled": scaled[rows]}), {}).item()

    assert summed(slice(0, 3)) == pytest.approx(0.25 + 4.0 + 0.0)
    assert summed(slice(0, 1)) + summed(slice(1, 3)) == pytest.approx(summed(slice(0, 3)))
    assert TASK.weight({"scaled": scaled.numpy()}) == 3
    half = torch.tensor([[0.5]], dtype=torch.bfloat16)
    assert TASK.loss({"logits": half}, Batch({}, {"scaled": scaled[:1]}), {}).dtype == torch.float32


def test_the_scale_is_that_of_the_training_rows_alone():
    train = [1.0, 2.0, 3.0, 6.0]
    data = prepared(train, validation=[1000.0, -5.0])
    assert data.targets["mean"] == 3.0
    assert data.targets["deviation"] == pytest.approx(math.sqrt((4 + 1 + 0 + 9) / 4))
    assert data.counts["validation"] == {"1": 1, "2": 0, "3": 0, "6": 1}  # at the ends
    encoded = TASK.encode(data.tables["train"], tiny_tokenizer(), data.targets, VALUES)
    assert (encoded.targets["scaled"].mean(), encoded.targets["scaled"].std()) == pytest.approx(
        (0, 1), abs=1e-6
    )
    assert encoded.targets["number"].tolist() == train
    # To say the mean of the training rows for all costs 1.
    batch = collate(encoded, np.arange(4))
    zeros = {"logits": torch.zeros(4, 1)}
    assert TASK.loss(zeros, batch, {}).item() / 4 == pytest.approx(TASK.guess_loss(data.targets))


def test_many_numbers_are_told_in_fifths_and_a_range_s_name_is_its_own():
    data = prepared([float(i) for i in range(100)], validation=[-1.0, 50.0, 200.0])
    assert list(data.counts["train"].values()) == [20] * 5
    assert next(iter(data.counts["train"])) == "0 to 19.8"
    assert data.counts["validation"] == {**dict.fromkeys(data.counts["train"], 1)} | {
        "19.8 to 39.6": 0,
        "59.4 to 79.2": 0,
    }
    # With six digits two of the fifths would begin at 100002: at 100001.584 and 100002.376.
    close = prepared([100_000 + i / 25 for i in range(100)], validation=[100_001.0])
    assert list(close.counts["train"].values()) == [20] * 5
    assert list(close.counts["train"])[2] == "100001.6 to 100002.4"


def test_drawn_splits_have_low_and_high_numbers_alike():
    # One number in five is high, and there are 20 of them.
    numbers = [float(i if i % 5 else 1000 + i) for i in range(100)]
    data = prepared(numbers)
    for split, rows in {"train": 14, "validation": 3, "test": 3}.items():
        high = data.tables[split]["target"].to_numpy() >= 1000
        assert high.sum() == rows
    assert TASK.strata(["1", "2", "3"]) is None  # too few for shares


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            "3\n4\ncheap\n5\nnan\n",
            r"^t\.csv: column `price` must hold a number .* got 'cheap' \(lines 4, 6\)",
        ),
        ("3\n4\n1,5\n", r"3 fields"),
        ("3\n4\ninf\n", r"got 'inf' \(line 4\)"),
        ("3\n" * 30, r"^t\.csv: column `price` is 3 in all 22 training rows; there is nothing to learn"),
        # The mean lies 1.7e9 / 5 = 3.4e8 deviations from 0.
        (
            "1700000000\n1700000010\n" * 15,
            r"1.7e\+09 in the mean and differ by 5 only, .*; subtract the mean first",
        ),
    ],
)
def test_what_is_no_number_is_refused_with_its_line(tmp_path, cells, message):
    rows = "".join(f"text {i},{cell}\n" for i, cell in enumerate(cells.splitlines()))
    (tmp_path / "t.csv").write_text("text,price\n" + rows)
    with pytest.raises(DataError, match=message):
        examine(DataSpec(inputs=("text",), target="price", path=tmp_path / "t.csv"), TASK)


def test_white_space_and_any_way_to_write_a_number_are_fine():
    data = prepared([" 1 ", "2.5e1", "-3", 4], validation=["1"])
    assert data.tables["train"]["target"].to_pylist() == [1, 25, -3, 4]


@pytest.mark.parametrize("name", ["bert", "roberta", "distilbert", "electra", "modernbert", "t5"])
def test_a_finished_model_says_the_same_numbers_by_itself(tmp_path, name):
    rows = toy_rows("text-regression")
    loaded = load_pretrained(save_pretrained(name, tmp_path), rows.targets, TASK, rows.tables["train"])
    model, tokenizer, few = loaded.model, loaded.processor, rows.tables["validation"]
    with torch.no_grad():  # else many heads begin with no bias at all
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
    before, encoded = predictions(TASK, model, tokenizer, few, rows.targets, VALUES)
    TASK.finish(model, rows.targets, lambda: (before, encoded), "pearson")
    after, _ = predictions(TASK, model, tokenizer, few, TASK.finished(rows.targets, model), VALUES)
    assert before["number"].std() > 0
    assert after["number"] == pytest.approx(before["number"], rel=1e-5)
    pipeline = TASK.pipeline(model, tokenizer)
    said = [pipeline(text)[0] for text in few["input_0"].to_pylist()]
    assert {each["label"] for each in said} == {"target"}
    assert [each["score"] for each in said] == pytest.approx(before["number"].tolist(), rel=1e-5)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_a_head_without_a_bias_is_refused_by_the_model_s_name(tmp_path, name):
    rows = toy_rows("text-regression")
    with pytest.raises(
        ModelError, match=rf"^{name}: the head of \w+ has no bias, .* another model for text-regression"
    ):
        load_pretrained(save_pretrained(name, tmp_path), rows.targets, TASK, rows.tables["train"])
