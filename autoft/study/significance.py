"""Whether two scores differ by more than noise: other validation rows or seeds would change both."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoft.study.records import TrialRecord

RHO = 0.5
"""The correlation of two trials' scores over the choice of validation rows, which are the same for both.
Measured: 0.30 to 0.67 on the five recorded sets, 0.48 in the mean (experiments/LOG.md)."""
SEED_SHARE = 0.75
"""The standard deviation of a score over seeds, as a multiple of its standard error over rows.
Measured: 0.5 to 1.2 with ten seeds on three sets and depths, 0.76 in the mean (experiments/LOG.md)."""
Z = 1.64
"""A difference counts as real above this many standard errors (two-sided 10 % level of a normal
distribution). Raise it for a stricter verdict."""


def error_of_difference(one: "TrialRecord", other: "TrialRecord") -> float | None:
    """The standard error of the difference of two trials' scores; None if one's own is unknown.

    Of errors e and f it is sqrt((e^2 + f^2) (1 - RHO) + SEED_SHARE^2 (e^2 + f^2)): the rows are the same for
    both, the seeds are not.
    """
    first, second = _error(one), _error(other)
    if first is None or second is None:
        return None
    return math.hypot(first, second) * math.sqrt(1 - RHO + SEED_SHARE**2)


def error_beside(trial: "TrialRecord", other: float | None) -> float | None:
    """The same of a trial and of what has no seed, a baseline, whose own standard error is `other`.

    Of errors e and f it is sqrt((e^2 + f^2) (1 - RHO) + SEED_SHARE^2 e^2). RHO is that of two trials; how
    alike a baseline's score is to a trial's was not measured.
    """
    own = _error(trial)
    if own is None or other is None:
        return None
    return math.hypot(math.hypot(own, other) * math.sqrt(1 - RHO), SEED_SHARE * own)


def more_than_noise(one: "TrialRecord", other: "TrialRecord") -> bool | None:
    """Whether two trials' scores differ by more than Z standard errors; None if that is unknown."""
    error = error_of_difference(one, other)
    if error is None or one.score is None or other.score is None:
        return None
    return abs(one.score - other.score) > Z * error


def _error(trial: "TrialRecord") -> float | None:
    """The standard error of the trial's best measurement."""
    return next((each.error for each in trial.measurements if each.index == trial.best_index), None)
