"""How much better one configuration is than another, in expectation over seeds and rows.

Every replica of both is scored on the same rows, so rows and seeds are crossed: a difference of means varies
with the seeds, which are others for each configuration, and with the rows, which are the same for all. The
two variances add up (Owen 2007, doi 10.1214/07-AOAS122; what a seed does to a single row counts twice, which
errs to the safe side). That of the rows is the bootstrap's: rows are drawn with replacement, the same for all
replicas (Davison and Hinkley 1997, section 2.4). That of the seeds is the scores' own. A bootstrap of the
seeds as well (Saravanan et al. 2020, arXiv 2007.07797) has too light tails with so few of them: of intervals
at 98.3 % from five seeds it covered the truth in 94 % to 99 %, with three in 88 % to 95 %; the interval here,
of Student's t with Welch's degrees of freedom, in 98 % to 99 % (simulated; tests/judge/test_expected.py).
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from autoft.data.encoded import Array, Ragged
from autoft.data.targets import Targets
from autoft.judge.answers import Answers
from autoft.tasks.protocol import Task

DRAWS = 100
"""Of the rows; a standard error from so many is right within 7 % (1 in sqrt(2 n))."""
SEED = 0
LEVEL = 0.95
"""Of all comparisons together."""


@dataclass(frozen=True)
class Scores:
    """The replicas of one configuration, scored by one metric."""

    whole: np.ndarray
    """[seeds]: on all rows."""
    drawn: np.ndarray
    """[draws, seeds]: on each draw of the rows, which is the same for all configurations."""


def together(of: Sequence[Scores]) -> Scores:
    """The scores of several replicas, or of several groups of them, as one."""
    return Scores(np.concatenate([each.whole for each in of]), np.hstack([each.drawn for each in of]))


def score(task: Task, metric: str, replicas: Sequence[Answers], targets: Targets) -> Scores:
    """Scores the replicas of one configuration on all rows, and on DRAWS draws of them.

    Args:
        task: what they were trained for.
        metric: the objective's name.
        replicas: all of the same rows, in the same order.
        targets: what was learned of the target column.
    """
    rows = len(next(iter(replicas[0].predictions.values())))
    generator = np.random.default_rng(SEED)
    draws = [np.arange(rows), *(generator.integers(rows, size=rows) for _ in range(DRAWS))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of labels that a draw lacks
        scored = np.array([[_score(task, metric, each, targets, d) for each in replicas] for d in draws])
    return Scores(scored[0], scored[1:])


def _score(task: Task, metric: str, answers: Answers, targets: Targets, rows: np.ndarray) -> float:
    taken = {name: array[rows] for name, array in answers.predictions.items()}
    encoded = {name: _take(array, rows) for name, array in answers.targets.items()}
    return task.score(task.decide(taken, (taken, encoded), metric), encoded, targets)[metric]


def _take(array: Array, rows: np.ndarray) -> Array:
    return array.take(rows) if isinstance(array, Ragged) else array[rows]


@dataclass(frozen=True)
class Interval:
    """Of the difference of two configurations' expected scores."""

    difference: float
    low: float
    high: float
    level: float

    @property
    def excludes_0(self) -> bool:
        """Whether the two differ by more than noise."""
        return self.low > 0 or self.high < 0


def difference(one: Scores, other: Scores, level: float) -> Interval:
    """How much larger the expected score of the one is than that of the other; at least 2 seeds of each.

    Draws of rows on which a metric is no number are left out.
    """
    found = float(one.whole.mean() - other.whole.mean())
    of_rows = one.drawn.mean(axis=1) - other.drawn.mean(axis=1)
    of_rows = of_rows[np.isfinite(of_rows)]
    seeds = [float(each.whole.var(ddof=1)) / len(each.whole) for each in (one, other)]
    variance = float(of_rows.var(ddof=1)) + sum(seeds) if len(of_rows) > 1 else math.inf
    freedom = [len(each.whole) - 1 for each in (one, other)]
    half = _quantile(level, variance, seeds, freedom) * math.sqrt(variance)
    return Interval(found, found - half, found + half, level)


def _quantile(level: float, variance: float, seeds: Sequence[float], freedom: Sequence[int]) -> float:
    """Of Student's t, two-sided, with Welch's degrees of freedom; the rows have as many as one likes."""
    uncertain = sum(of**2 / degrees for of, degrees in zip(seeds, freedom, strict=True))
    degrees = variance**2 / uncertain if uncertain > 0 else math.inf
    return float(t.ppf((1 + level) / 2, min(degrees, 1e6)))


def corrected(compared: int, level: float = LEVEL) -> float:
    """The level of one interval, so that all comparisons with the best together have `level` (Bonferroni).

    So many configurations have one best, and each other is compared with it. That the best was found on the
    same scores needs no further correction (Hsu 1981, doi 10.1214/aos/1176345582).

    >>> round(corrected(4), 4)
    0.9833
    """
    return 1 - (1 - level) / max(1, compared - 1)
