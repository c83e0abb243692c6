"""Whether one model is better than another on the same rows: the paired bootstrap.

Rows are drawn with replacement, as many as there are, and both models are scored on each draw (Koehn 2004,
https://aclanthology.org/W04-3250). The middle LEVEL of the differences is the percentile interval. Of two
equally good models it finds the first one better in 1 to 4 of 100 cases, where 2.5 are asked for (simulated:
accuracy and macro F1, 50 to 200 rows, 80 and 95 % right, half of the answers shared).
"""

from dataclasses import dataclass

import numpy as np

from autoft.tasks.classification import classification_metrics
from autoft.tasks.classification_error import row_values, scores
from autoft.tasks.classification_metrics import METRICS

LEVEL = 0.95
RESAMPLES = 2000
"""50 of them lie beyond each end of the interval."""
SEED = 0


@dataclass(frozen=True)
class PairedDifference:
    """Two models on the same rows."""

    metric: str
    rows: int
    one: float
    """The metric of the one model."""
    other: float
    low: float
    """Of one minus other: the lower end of the interval."""
    high: float

    @property
    def is_better(self) -> bool:
        """Whether the one is better by more than chance: the whole interval is on its side of 0."""
        return all(METRICS[self.metric].is_better(end, 0.0) for end in (self.low, self.high))


def paired_difference(
    metric: str, one: np.ndarray, other: np.ndarray, labels: np.ndarray
) -> PairedDifference:
    """How much better the `one` model is than the `other` by a metric of `classification_metrics`.

    NaN throughout where a model's logits are not finite. The same answers have the same interval.

    Args:
        metric: its name.
        one: logits [n, classes].
        other: logits [n, classes].
        labels: [n], in 0..classes-1.
    """
    mine, theirs = (classification_metrics(logits, labels)[metric] for logits in (one, other))
    low = high = np.nan
    if np.isfinite([mine, theirs]).all():
        differences = _resampled(metric, one, other, labels)
        low, high = np.quantile(differences, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return PairedDifference(metric, len(labels), mine, theirs, low, high)


def _resampled(metric: str, one: np.ndarray, other: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[RESAMPLES]: the difference on each draw."""
    generator, rows = np.random.default_rng(SEED), len(labels)
    first, second = row_values(metric, one, labels), row_values(metric, other, labels)
    if first is not None and second is not None:
        apart = first - second
        return np.array([apart[generator.integers(rows, size=rows)].mean() for _ in range(RESAMPLES)])
    # The others see only how often each label was given which two predictions, so these counts are drawn.
    answers = np.concatenate([labels, one.argmax(axis=1), other.argmax(axis=1)])
    _, indices = np.unique(answers, return_inverse=True)
    (true, by_one, by_other), times = np.unique(indices.reshape(3, -1), axis=1, return_counts=True)
    counts = generator.multinomial(rows, times / rows, size=RESAMPLES)
    difference: np.ndarray = scores(metric, counts, true, by_one) - scores(metric, counts, true, by_other)
    return difference
