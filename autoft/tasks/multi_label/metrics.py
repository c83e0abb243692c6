"""The metrics of several labels a row."""

from collections.abc import Callable, Mapping

import numpy as np

from autoft.tasks.multi_label import TASK
from autoft.tasks.resampling import Metric, share

_PROBABILITIES = (1e-12, 1 - 1e-12)
"""The log loss cuts probabilities to these."""


def metrics_of(probabilities: np.ndarray, truth: np.ndarray, threshold: float) -> dict[str, float]:
    """Every metric; NaN where a probability is none. Arguments as `metric_of`."""
    once = np.ones((1, len(truth)))
    return {name: float(metric_of(name, probabilities, truth, threshold)(once)[0]) for name in TASK.metrics}


def metric_of(name: str, probabilities: np.ndarray, truth: np.ndarray, threshold: float) -> Metric:
    """One metric as a function of how often each row counts.

    Args:
        name: the metric's.
        probabilities: [n, labels].
        truth: [n, labels], 1 where a row has the label.
        threshold: above it a label is given.
    """
    if not np.isfinite(probabilities).all():
        return lambda counts: np.full(len(counts), np.nan)
    if name in _OF_PROBABILITIES:
        return _OF_PROBABILITIES[name](probabilities, truth)
    given = probabilities.astype(np.float64) > threshold
    return _OF_GIVEN[name](given, truth)


def _mean(values: np.ndarray) -> Metric:
    return lambda counts: counts @ values / counts.sum(axis=1)


def _log_loss(probabilities: np.ndarray, truth: np.ndarray) -> Metric:
    cut = np.clip(probabilities.astype(np.float64), *_PROBABILITIES)
    return _mean(-np.where(truth, np.log(cut), np.log(1 - cut)).mean(axis=1))


def _average_precision(probabilities: np.ndarray, truth: np.ndarray) -> Metric:
    """As scikit-learn's `average_precision_score`; the labels that occur in a draw count."""
    orders = np.argsort(-probabilities, axis=0, kind="stable")

    def mean(counts: np.ndarray) -> np.ndarray:
        total, there = np.zeros(len(counts)), np.zeros(len(counts))
        for label, order in enumerate(orders.T):
            descending = -probabilities[order, label]
            last = np.searchsorted(descending, descending, side="right") - 1  # of equal ones
            drawn = counts[:, order]
            hits = drawn * truth[order, label]
            found = hits.sum(axis=1)
            precision = share(np.cumsum(hits, axis=1)[:, last], np.cumsum(drawn, axis=1)[:, last])
            total += share((hits * precision).sum(axis=1), found)
            there += found > 0
        return share(total, there)

    return mean


def _micro_f1(given: np.ndarray, truth: np.ndarray) -> Metric:
    right, both = (given & truth).sum(axis=1), given.sum(axis=1) + truth.sum(axis=1)
    return lambda counts: share(2 * (counts @ right), counts @ both)


def _macro_f1(given: np.ndarray, truth: np.ndarray) -> Metric:
    """Labels that occur or are given in a draw count, as scikit-learn has it for one label a row."""
    right, both = (given & truth).astype(np.float64), given.astype(np.float64) + truth

    def mean(counts: np.ndarray) -> np.ndarray:
        there = counts @ both
        return share(share(2 * (counts @ right), there).sum(axis=1), (there > 0).sum(axis=1))

    return mean


def _exact_match(given: np.ndarray, truth: np.ndarray) -> Metric:
    return _mean((given == truth).all(axis=1).astype(np.float64))


_OF_PROBABILITIES: Mapping[str, Callable[[np.ndarray, np.ndarray], Metric]] = {
    "log_loss": _log_loss,
    "mean_average_precision": _average_precision,
}
_OF_GIVEN: Mapping[str, Callable[[np.ndarray, np.ndarray], Metric]] = {
    "micro_f1": _micro_f1,
    "macro_f1": _macro_f1,
    "exact_match": _exact_match,
}
