"""How much a metric depends on which rows there are: the bootstrap, for metrics of sums over rows.

Rows are drawn with replacement, as many as there are (Efron 1979, doi 10.1214/aos/1176344552). A draw is how
often it has each row, so a metric that is made of sums over rows is computed for many draws at once. The
draws have a generator of their own: the same predictions have the same error.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np

Metric = Callable[[np.ndarray], np.ndarray]
"""From how often each draw has each of n rows, [draws, n], to a metric of each draw, [draws]."""
RESAMPLES = 100
"""A standard error from so many is right within 7 % (1 in sqrt(2 n))."""
SEED = 0


def standard_error(metric: Metric, rows: int) -> float | None:
    """By how much the metric of `rows` rows varies; None where it is no number."""
    error = float(np.concatenate([metric(counts) for counts in _draws(rows, RESAMPLES)]).std(ddof=1))
    return error if math.isfinite(error) else None


def differences(one: Metric, other: Metric, rows: int, draws: int) -> np.ndarray:
    """How much more of a metric the one has than the other, of two models on the same rows: [draws]."""
    return np.concatenate([one(counts) - other(counts) for counts in _draws(rows, draws)])


def share(of: np.ndarray, among: np.ndarray) -> np.ndarray:
    """0 where there is nothing."""
    found: np.ndarray = np.divide(of, among, out=np.zeros(np.shape(of)), where=among > 0)
    return found


def _draws(rows: int, draws: int) -> Iterator[np.ndarray]:
    """`draws` in all, RESAMPLES at a time: many draws of many rows would fill the memory."""
    generator = np.random.default_rng(SEED)
    for first in range(0, draws, RESAMPLES):
        size = min(RESAMPLES, draws - first)
        drawn = generator.integers(rows, size=(size, rows))
        yield np.stack([np.bincount(draw, minlength=rows) for draw in drawn]).astype(np.float64)
