"""What `autoft search --require` asks of the winner: a metric and the score that it has to reach."""

import math
import re
from dataclasses import dataclass

from autoft.spec.metrics import Metric

_FORM = re.compile(r"\s*(\w+)\s*(>=|<=)\s*(\S+)\s*")
_SIGNS = {"maximize": ">=", "minimize": "<="}


@dataclass(frozen=True)
class Requirement:
    """A score that is good enough."""

    metric: Metric
    bound: float
    """The worst score that is."""

    def is_met(self, score: float | None) -> bool:
        """Whether a score is good enough; None, where there is none, is not."""
        if score is None:
            return False
        return score >= self.bound if self.metric.direction == "maximize" else score <= self.bound

    def __str__(self) -> str:
        return f"{self.metric.name}{_SIGNS[self.metric.direction]}{self.bound:g}"


def read_requirement(text: str, objective: Metric) -> Requirement:
    """`text`, such as `macro_f1>=0.85`, for a study with that objective.

    Raises ValueError where it is of another form, metric or direction.

    >>> str(read_requirement("rmse <= 0.5", Metric("rmse", "minimize", "")))
    'rmse<=0.5'
    """
    sign = _SIGNS[objective.direction]
    rule = f"must be {objective.name}{sign}NUMBER, the study's objective and the worst score that will do"
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"{rule}, got {text!r}")
    name, given, number = found.groups()
    try:
        bound = float(number)
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise ValueError(f"{rule}, got {number!r} as the number")
    if name != objective.name:
        raise ValueError(f"{rule}, got the metric {name!r}")
    if given != sign:
        better = "more" if objective.direction == "maximize" else "less"
        raise ValueError(f"{rule}, got {given!r}: of {name} {better} is better")
    return Requirement(objective, bound)
