"""Standard errors: by hand for means, and by a bootstrap of the rows with scikit-learn for the others."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, matthews_corrcoef, precision_score, recall_score

from autoft.tasks.classification import classification_metrics
from autoft.tasks.classification_error import scores, standard_error
from autoft.tasks.classification_metrics import METRICS

BY_SKLEARN = {
    "macro_f1": lambda y, p: f1_score(y, p, average="macro", zero_division=0),
    "weighted_f1": lambda y, p: f1_score(y, p, average="weighted", zero_division=0),
    "precision": lambda y, p: precision_score(y, p, average="macro", zero_division=0),
    "recall": lambda y, p: recall_score(y, p, average="macro", zero_division=0),
    "matthews_correlation": lambda y, p: matthews_corrcoef(y, p) if len({*y, *p}) > 1 else 0.0,
}


def predictions(rows, classes, right, seed=0):
    """Logits that put a share of the rows right, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=rows)
    predicted = np.where(rng.random(rows) < right, labels, rng.integers(classes, size=rows))
    return 3.0 * np.eye(classes)[predicted] + rng.normal(size=(rows, classes)) / 10, labels


def test_the_error_of_a_mean_by_hand():
    # As in test_metrics: 4 of 6 rows are right; a right label has probability 0.8, a wrong one 0.1.
    labels = np.array([0, 0, 0, 1, 1, 2])
    logits = np.log(np.full((6, 3), 0.1) + 0.7 * np.eye(3)[[0, 0, 1, 1, 1, 1]])
    of_a_share = math.sqrt(4 / 6 * 2 / 6 / 6)
    assert standard_error("accuracy", logits, labels) == pytest.approx(of_a_share)
    assert standard_error("micro_f1", logits, labels) == pytest.approx(of_a_share)
    # Two values that are math.log(8) apart, with shares 4/6 and 2/6.
    assert standard_error("log_loss", logits, labels) == pytest.approx(math.log(8) * of_a_share)


@pytest.mark.parametrize("metric", BY_SKLEARN)
def test_many_sets_of_rows_at_once_have_the_scores_that_scikit_learn_gives_each(metric):
    # Class 3 occurs and is never predicted, class 4 is predicted only, and draws miss some of all.
    labels, predicted = np.array([0, 0, 1, 1, 2, 3, 0]), np.array([0, 1, 1, 2, 2, 0, 4])
    counts = np.random.default_rng(0).multinomial(12, np.full(7, 1 / 7), size=40)
    counts[0] = [12, 0, 0, 0, 0, 0, 0]  # one class, all right
    counts[1] = [0, 12, 0, 0, 0, 0, 0]  # one class, all taken for another
    found = scores(metric, counts, labels, predicted)
    expected = [BY_SKLEARN[metric](np.repeat(labels, times), np.repeat(predicted, times)) for times in counts]
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", ["macro_f1", "matthews_correlation"])
@pytest.mark.parametrize(("rows", "classes", "right"), [(136, 9, 0.7), (300, 40, 0.5)])
def test_it_is_the_bootstrap_of_the_rows(metric, rows, classes, right):
    logits, labels = predictions(rows, classes, right)
    predicted, rng = logits.argmax(axis=1), np.random.default_rng(1)
    draws = [rng.integers(rows, size=rows) for _ in range(300)]
    expected = np.std([BY_SKLEARN[metric](labels[drawn], predicted[drawn]) for drawn in draws])
    # Of 100 draws against 300: sqrt(1 / 200 + 1 / 600) = 8 % apart.
    assert standard_error(metric, logits, labels) == pytest.approx(expected, rel=0.24)


@pytest.mark.parametrize("metric", METRICS)
def test_it_repeats_whatever_the_order_of_the_rows_and_leaves_the_random_states_alone(metric):
    logits, labels = predictions(200, 5, 0.6)
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    error = standard_error(metric, logits, labels)
    assert isinstance(error, float)
    assert error > 0
    assert standard_error(metric, logits, labels) == error
    assert standard_error(metric, logits[::-1], labels[::-1]) == pytest.approx(error, rel=1e-12)
    assert (np.random.get_state()[1] == numpy_state).all()
    assert torch.equal(torch.get_rng_state(), torch_state)


@pytest.mark.parametrize("metric", METRICS)
def test_without_a_metric_there_is_no_error_and_without_doubt_it_is_0(metric):
    broken = np.array([[np.nan, 0.0], [1.0, 0.0]])
    assert math.isnan(classification_metrics(broken, np.array([0, 1]))[metric])
    assert standard_error(metric, broken, np.array([0, 1])) is None
    # Every row is right by the same wide margin: whichever are drawn, the mean metrics stay what they are.
    sure = standard_error(metric, 50 * np.eye(2)[[0, 1] * 20], np.array([0, 1] * 20))
    assert sure == pytest.approx(0, abs=1e-12)
