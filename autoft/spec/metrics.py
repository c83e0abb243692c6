"""A metric that can be the objective: its name, direction and meaning. Tasks declare and compute theirs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """A number that says how good a model is on a split."""

    name: str
    direction: Literal["maximize", "minimize"]
    meaning: str

    def is_better(self, value: float, best: float | None) -> bool:
        """Whether `value` beats `best` (None before the first). NaN beats nothing.

        >>> Metric("log_loss", "minimize", "").is_better(0.2, 0.3)
        True
        """
        if math.isnan(value):
            return False
        if best is None:
            return True
        return value > best if self.direction == "maximize" else value < best


def by_name(*metrics: Metric) -> Mapping[str, Metric]:
    """As a task declares them."""
    return {metric.name: metric for metric in metrics}
