"""Whether one model is better than another on the same rows: the paired bootstrap.

Rows are drawn with replacement, as many as there are, and both models are scored on each draw (Koehn 2004,
https://aclanthology.org/W04-3250). The middle LEVEL of the differences is the percentile interval. Of two
equally good models it finds the first one better in 1 to 4 of 100 cases, where 2.5 are asked for (simulated:
accuracy and macro F1, 50 to 200 rows, 80 and 95 % right, half of the answers shared).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autoft.data.targets import Targets
from autoft.spec.metrics import Metric

if TYPE_CHECKING:
    from autoft.tasks.protocol import Scorable, Task

LEVEL = 0.95
MIN_ROWS = 50
"""Fewer tell nothing: of 50 rows, ten of which the two answer differently, a difference of less than 12
points of accuracy is within chance (1.96 standard errors of sqrt(10) / 50)."""
RESAMPLES = 2000
"""50 of them lie beyond each end of the interval."""


@dataclass(frozen=True)
class PairedDifference:
    """Two models on the same rows."""

    metric: Metric
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
        return all(self.metric.is_better(end, 0.0) for end in (self.low, self.high))

    @property
    def is_worse(self) -> bool:
        """Whether it is worse by more than chance."""
        return all(self.metric.is_better(0.0, end) for end in (self.low, self.high))


def paired_difference(
    task: "Task",
    metric: str,
    one: "Scorable",
    other: "Scorable",
    targets: Targets,
) -> PairedDifference:
    """How much better the `one` model is than the `other` by a metric of the task.

    NaN throughout where a model's answers are not finite. The same answers have the same interval.

    Args:
        task: what both were trained for.
        metric: its name.
        one: what it predicts for n rows, and their targets as it took them.
        other: the same of the other.
        targets: what was learned of the target column.
    """
    mine, theirs = (task.score(*each, targets)[metric] for each in (one, other))
    low = high = np.nan
    if np.isfinite([mine, theirs]).all():
        differences = task.differences(metric, one, other, RESAMPLES)
        low, high = np.quantile(differences, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    rows = len(next(iter(one[0].values())))
    return PairedDifference(task.spec.metrics[metric], rows, mine, theirs, low, high)
