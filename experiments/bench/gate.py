"""The quality gate: speed must not be bought with results.

Both sides begin with the same heads; the batches and the masks of dropout are each side's own. So the
configurations are run once more without dropout and with the same batches, where results must agree; and as
they were timed the two sides may differ by as much as chance explains, and not in one direction.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scipy.stats import spearmanr

from bench.workloads import Job

METRICS = ("macro_f1", "accuracy")
WANTED_CORRELATION = 0.95
STANDARD_ERRORS = 2.0
MEDIAN_EFFICIENCY = math.sqrt(math.pi / 2)
"""Standard error of a median over that of a mean, for many normal values."""

Trials = Sequence[dict[str, float]]
"""The final metrics of each configuration."""


@dataclass(frozen=True)
class Decision:
    """The gate for one metric."""

    spearman: float
    """Between autoft's and handwritten's final values, nothing left to chance, over configurations."""
    largest_difference: float
    """Of these values."""
    spearman_as_timed: float
    median_difference: float
    """Of autoft less handwritten, as timed."""
    tolerance: float
    """Two standard errors of such a median, by the spread of the differences around 0."""
    passed: bool


def without_chance(job: Job) -> Job:
    """The same configurations with nothing left to chance that the two sides do not share."""
    return replace(
        job, alike=True, configurations=tuple(replace(each, dropout=0.0) for each in job.configurations)
    )


def judge(alike: tuple[Trials, Trials], timed: tuple[Trials, Trials]) -> dict[str, Decision]:
    """The verdict by metric.

    Args:
        alike: autoft's and handwritten's figures where nothing is left to chance.
        timed: the same as they were timed.
    """
    return {metric: _judge(*_values(alike, metric), *_values(timed, metric)) for metric in METRICS}


def _values(sides: tuple[Trials, Trials], metric: str) -> tuple[list[float], list[float]]:
    return [trial[metric] for trial in sides[0]], [trial[metric] for trial in sides[1]]


def _judge(
    autoft: Sequence[float], handwritten: Sequence[float], noisy: Sequence[float], noisy_peer: Sequence[float]
) -> Decision:
    differences = [own - theirs for own, theirs in zip(noisy, noisy_peer, strict=True)]
    # Chance has no direction, so the spread is taken around 0.
    spread = math.sqrt(statistics.fmean(difference**2 for difference in differences))
    tolerance = STANDARD_ERRORS * MEDIAN_EFFICIENCY * spread / math.sqrt(len(differences))
    median = statistics.median(differences)
    correlation = rank_correlation(autoft, handwritten)
    return Decision(
        spearman=correlation,
        largest_difference=max(abs(own - theirs) for own, theirs in zip(autoft, handwritten, strict=True)),
        spearman_as_timed=rank_correlation(noisy, noisy_peer),
        median_difference=median,
        tolerance=tolerance,
        passed=correlation >= WANTED_CORRELATION and abs(median) <= tolerance,
    )


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's; 0 where one side is the same everywhere or there are fewer than two values."""
    if len(set(a)) < 2 or len(set(b)) < 2:
        return 0.0
    return float(spearmanr(a, b).statistic)
