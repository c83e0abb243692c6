"""How much a metric depends on which rows are in the validation split: its standard error by the bootstrap.

Rows are drawn with replacement, as many as there are (Efron 1979, doi 10.1214/aos/1176344552), and the metric
varies by its standard error from one draw to the next. A metric of labels and predictions sees only how often
each label was given each prediction, so these counts are drawn, not rows: what that costs depends on the
labels, not on the rows. The draws have a generator of their own, so the same predictions have the same error.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np

from autoft.tasks.resampling import RESAMPLES, SEED, share


def standard_error(metric: str, logits: np.ndarray, labels: np.ndarray) -> float | None:
    """The standard error of a metric of `classification_metrics`; None where the metric is no number.

    Args:
        metric: its name.
        logits: [n, classes].
        labels: [n], in 0..classes-1.
    """
    if not np.isfinite(logits).all():
        return None
    values = row_values(metric, logits, labels)
    if values is not None:  # what the bootstrap of a mean comes to with ever more draws
        return float(values.std() / math.sqrt(len(values)))
    _, indices = np.unique(np.concatenate([labels, logits.argmax(axis=1)]), return_inverse=True)
    pairs, times = np.unique(indices.reshape(2, -1), axis=1, return_counts=True)
    generator = np.random.default_rng(SEED)
    counts = generator.multinomial(len(labels), times / len(labels), size=RESAMPLES)
    return float(scores(metric, counts, *pairs).std(ddof=1))


def paired_differences(
    metric: str, one: np.ndarray, other: np.ndarray, labels: np.ndarray, draws: int
) -> np.ndarray:
    """How much more of a metric the `one` has than the `other` on samples of the rows, float64 [draws].

    Rows are drawn with replacement, as many as there are. Arguments as in `standard_error`, logits of two.
    """
    generator, rows = np.random.default_rng(SEED), len(labels)
    first, second = row_values(metric, one, labels), row_values(metric, other, labels)
    if first is not None and second is not None:
        apart = first - second
        return np.array([apart[generator.integers(rows, size=rows)].mean() for _ in range(draws)])
    # The others see only how often each label was given which two predictions, so these counts are drawn.
    answers = np.concatenate([labels, one.argmax(axis=1), other.argmax(axis=1)])
    _, indices = np.unique(answers, return_inverse=True)
    (true, by_one, by_other), times = np.unique(indices.reshape(3, -1), axis=1, return_counts=True)
    counts = generator.multinomial(rows, times / rows, size=draws)
    difference: np.ndarray = scores(metric, counts, true, by_one) - scores(metric, counts, true, by_other)
    return difference


_PROBABILITIES = (np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)
"""Scikit-learn's log loss cuts probabilities to these."""


def row_values(metric: str, logits: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
    """What a metric is the mean of, float64 [n]; None where it is no mean over rows. Arguments as above."""
    if metric == "log_loss":
        chosen = softmax(logits)[np.arange(len(labels)), labels]
        losses: np.ndarray = -np.log(np.clip(chosen, *_PROBABILITIES))
        return losses
    if metric in ("accuracy", "micro_f1"):  # the same for one label a row
        return np.asarray(logits.argmax(axis=1) == labels, np.float64)
    return None


def scores(metric: str, counts: np.ndarray, labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """A metric [draws] of several sets of rows at once, as scikit-learn computes it.

    Args:
        metric: its name: one of labels and predictions.
        counts: [draws, pairs]: how often each pair of label and prediction occurs.
        labels: [pairs]: the label, an index without gaps.
        predicted: [pairs]: the prediction, likewise.
    """
    classes = 1 + max(labels.max(), predicted.max())
    right = _by_class(np.where(labels == predicted, counts, 0), labels, classes)
    return _SCORES[metric](right, _by_class(counts, labels, classes), _by_class(counts, predicted, classes))


def _by_class(counts: np.ndarray, of: np.ndarray, classes: int) -> np.ndarray:
    """[draws, classes]: the sum of the counts [draws, pairs] whose pair is `of` [pairs] the class."""
    places = np.arange(len(counts))[:, None] * classes + of
    return np.bincount(places.ravel(), counts.ravel(), len(counts) * classes).reshape(-1, classes)


def _f1(right: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return share(2 * right, true + predicted)


def _matthews(right: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """R_K (Gorodkin 2004, doi 10.1016/j.compbiolchem.2004.09.006); 0 where a side has one class only."""
    rows = true.sum(axis=1)
    together = rows * right.sum(axis=1) - (true * predicted).sum(axis=1)
    spreads = (rows**2 - (true**2).sum(axis=1)) * (rows**2 - (predicted**2).sum(axis=1))
    return share(together, np.sqrt(spreads))


def _mean(values: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Over the classes that occur or are predicted in a draw."""
    there = true + predicted > 0
    mean: np.ndarray = np.where(there, values, 0).sum(axis=1) / there.sum(axis=1)
    return mean


_SCORES: Mapping[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "macro_f1": lambda right, true, predicted: _mean(_f1(right, true, predicted), true, predicted),
    "weighted_f1": lambda right, true, predicted: (
        (true * _f1(right, true, predicted)).sum(axis=1) / true.sum(axis=1)
    ),
    "precision": lambda right, true, predicted: _mean(share(right, predicted), true, predicted),
    "recall": lambda right, true, predicted: _mean(share(right, true), true, predicted),
    "matthews_correlation": _matthews,
}
"""From rows by class that are right, that have the class and that are predicted, each [draws, classes]."""


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities [n, classes] in float64."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities: np.ndarray = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities
