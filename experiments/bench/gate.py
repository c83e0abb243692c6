"""The quality gate: speed must not be bought with results.

autoft's final metrics of each configuration are held against those of `handwritten`, and the difference
against what another seed does to `handwritten` itself.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import spearmanr

METRICS = ("macro_f1", "accuracy")
WANTED_CORRELATION = 0.95
STANDARD_ERRORS = 2.0
MEDIAN_EFFICIENCY = math.sqrt(math.pi / 2)
"""Standard error of a median over that of a mean, for many normal values."""


@dataclass(frozen=True)
class Verdict:
    """The gate for one metric."""

    spearman: float
    """Between autoft's and handwritten's final values, over configurations."""
    seed_spearman: float
    """The same between handwritten's two seeds: what can be hoped for."""
    median_difference: float
    """Of autoft less handwritten."""
    tolerance: float
    """Two standard errors that seeds alone give such a median."""
    passed: bool


def judge(
    autoft: Sequence[dict[str, float]],
    handwritten: Sequence[dict[str, float]],
    reseeded: Sequence[dict[str, float]],
) -> dict[str, Verdict]:
    """The verdict by metric; the sequences are of one order, a figure each configuration.

    Args:
        autoft: its figures.
        handwritten: the peer's, under the same seeds.
        reseeded: the peer's under other seeds.
    """
    return {
        metric: _judge([[trial[metric] for trial in side] for side in (autoft, handwritten, reseeded)])
        for metric in METRICS
    }


def _judge(values: Sequence[Sequence[float]]) -> Verdict:
    autoft, handwritten, reseeded = values
    noise = [a - b for a, b in zip(handwritten, reseeded, strict=True)]
    # The noise has no direction, so its spread is taken around 0.
    spread = math.sqrt(statistics.fmean(difference**2 for difference in noise))
    tolerance = STANDARD_ERRORS * MEDIAN_EFFICIENCY * spread / math.sqrt(len(noise))
    difference = statistics.median(a - b for a, b in zip(autoft, handwritten, strict=True))
    correlation = rank_correlation(autoft, handwritten)
    return Verdict(
        spearman=correlation,
        seed_spearman=rank_correlation(handwritten, reseeded),
        median_difference=difference,
        tolerance=tolerance,
        passed=correlation >= WANTED_CORRELATION and abs(difference) <= tolerance,
    )


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's; 0 where one side is the same everywhere or there are fewer than two values."""
    if len(set(a)) < 2 or len(set(b)) < 2:
        return 0.0
    return float(spearmanr(a, b).statistic)
