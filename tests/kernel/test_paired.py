"""The paired bootstrap, against scipy's with scikit-learn's metrics, and by hand where chance has no part."""

import numpy as np
import pytest
from scipy.stats import bootstrap
from sklearn.metrics import f1_score, log_loss

from autoft.kernel.paired import LEVEL, paired_difference
from autoft.tasks.classification_error import softmax
from autoft.tasks.classification_metrics import METRICS

from ..data.prepared import RULES


def logits(predicted, classes, sureness=4.0):
    return sureness * np.eye(classes)[predicted]


def compared(metric, one, other, labels):
    answers = [({"logits": each}, {"labels": labels}) for each in (one, other)]
    return paired_difference(RULES, metric, *answers, {"labels": range(one.shape[1])})


def two_models(rows, classes, right, seed=0):
    """Labels, and what two models say that are right for these shares of the rows."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=rows)
    given = [np.where(rng.random(rows) < share, labels, rng.integers(classes, size=rows)) for share in right]
    return labels, *given


@pytest.mark.parametrize("metric", ["macro_f1", "log_loss"])
def test_it_is_the_paired_percentile_bootstrap(metric):
    labels, one, other = two_models(136, 5, (0.8, 0.6))
    answers = logits(one, 5) + np.random.default_rng(1).normal(size=(136, 5)), logits(other, 5)

    def score(rows, model):
        if metric == "log_loss":
            return log_loss(labels[rows], softmax(answers[model][rows]), labels=range(5))
        return f1_score(labels[rows], answers[model][rows].argmax(axis=1), average="macro", zero_division=0)

    expected = bootstrap(
        (np.arange(136),),
        lambda rows: score(rows, 0) - score(rows, 1),
        vectorized=False,
        n_resamples=300,
        method="percentile",
        confidence_level=LEVEL,
        rng=2,
    )
    found = compared(metric, *answers, labels)
    assert (found.one, found.other) == pytest.approx([score(np.arange(136), each) for each in (0, 1)])
    # At 2.5 % of 300 draws an end is known to 0.15 standard errors; twice that is allowed.
    ends = expected.confidence_interval
    assert [found.low, found.high] == pytest.approx([ends.low, ends.high], abs=0.3 * expected.standard_error)


def test_rows_are_paired_so_a_small_difference_counts_where_models_agree_on_the_rest():
    labels = np.zeros(200, int)
    other = np.zeros(200, int)
    other[:12] = 1
    one = np.zeros(200, int)
    found = compared("accuracy", logits(one, 2), logits(other, 2), labels)
    # 12 of 200 rows, all for the one: a draw has none of them in exp(-12) of the cases.
    assert (found.one, found.other, found.rows) == (1.0, 0.94, 200)
    assert 0 < found.low < 0.06 < found.high
    assert found.is_better
    one[12:22] = 1  # now the one has 12 and the other 10: sqrt(22) rows are one standard error
    assert not compared("accuracy", logits(one, 2), logits(other, 2), labels).is_better


@pytest.mark.parametrize("metric", METRICS)
def test_a_better_model_is_better_by_every_metric_and_the_worse_one_by_none(metric):
    labels, good, bad = two_models(300, 4, (0.95, 0.4))
    there = compared(metric, logits(good, 4), logits(bad, 4), labels)
    back = compared(metric, logits(bad, 4), logits(good, 4), labels)
    assert (there.is_better, back.is_better) == (True, False)
    # Other draws: the ends differ by a few of the hundredths that a standard error has here.
    assert [there.low, there.high] == pytest.approx([-back.high, -back.low], abs=0.02)
    assert there == compared(metric, logits(good, 4), logits(bad, 4), labels)


@pytest.mark.parametrize("metric", METRICS)
def test_the_same_answers_are_no_better_and_broken_ones_neither(metric):
    labels, given, _ = two_models(60, 3, (0.7, 0.5))
    same = compared(metric, logits(given, 3), logits(given, 3), labels)
    assert (same.low, same.high, same.is_better) == (0, 0, False)
    broken = np.full((60, 3), np.nan)
    assert not compared(metric, broken, logits(given, 3), labels).is_better
    assert not compared(metric, logits(given, 3), broken, labels).is_better
