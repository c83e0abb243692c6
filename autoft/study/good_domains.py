"""Where in each searched parameter's domain the best trials lie: what proved good."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial

from autoft.spec.space import Choice, Range, Value
from autoft.study.likely_ends import likely_ends, measured_trials

GOOD = 0.25
"""The share of the measured trials that counts as good, those with the best (likely) final values."""
FEWEST_GOOD = 4
FEWEST = 2 * FEWEST_GOOD
"""Measured trials; of fewer nothing is concluded."""
FEWEST_VALUES = 3
"""Different values among the good trials; of fewer, a range stays as it is."""
TINY = 1e-9
"""Of a unit; what binary fractions lose is no reason to go a unit further."""
TRIED = 2
"""A value of a choice that no good trial has is dropped if it was measured so often."""


@dataclass(frozen=True)
class Point:
    """One measured trial."""

    trial: int
    value: Value
    score: float
    """At its full budget, or what that is likely to be."""
    good: bool


@dataclass(frozen=True)
class Searched:
    """One parameter: what was searched, what came of it."""

    name: str
    domain: Choice | Range
    good: Choice | Range
    """The part of the domain in which the good trials lie; all of it if they are everywhere or too few."""
    points: tuple[Point, ...]
    """By trial; without those in which the parameter did not count."""


def searched_parameters(study: optuna.Study) -> list[Searched]:
    """Every parameter that a measured trial had, in the space's order; none of fewer than FEWEST trials."""
    ends = likely_ends(study)
    trials = [trial for trial in measured_trials(study) if trial.number in ends]
    if len(trials) < FEWEST:
        return []
    sign = 1 if study.direction == optuna.study.StudyDirection.MINIMIZE else -1
    best = sorted(trials, key=lambda each: (sign * ends[each.number], each.number))
    good = {each.number for each in best[: max(FEWEST_GOOD, math.ceil(GOOD * len(trials)))]}
    domains = {name: each for trial in trials for name, each in trial.distributions.items()}
    return [_searched(name, domain, trials, ends, good) for name, domain in domains.items()]


def _searched(
    name: str,
    distribution: BaseDistribution,
    trials: Sequence[FrozenTrial],
    ends: Mapping[int, float],
    good: set[int],
) -> Searched:
    points = tuple(
        Point(each.number, each.params[name], ends[each.number], each.number in good)
        for each in trials
        if name in each.params
    )
    domain = _domain(distribution)
    narrowed = _good_choice(domain, points) if isinstance(domain, Choice) else _good_range(domain, points)
    return Searched(name, domain, narrowed, points)


def _domain(distribution: BaseDistribution) -> Choice | Range:
    """The domain that `suggest` has made a distribution of."""
    if isinstance(distribution, CategoricalDistribution):
        return Choice(tuple(distribution.choices))  # type: ignore[arg-type]  # values hold no None
    assert isinstance(
        distribution, optuna.distributions.FloatDistribution | optuna.distributions.IntDistribution
    )
    integer = isinstance(distribution, optuna.distributions.IntDistribution)
    step = None if integer and distribution.step == 1 else distribution.step
    return Range(distribution.low, distribution.high, integer, distribution.log, step)


def _good_choice(domain: Choice, points: Sequence[Point]) -> Choice:
    """The values that a good trial has, and those that were hardly tried."""
    tried = [point.value for point in points]
    good = [point.value for point in points if point.good]
    return Choice(tuple(each for each in domain.values if each in good or tried.count(each) < TRIED))


def _good_range(domain: Range, points: Sequence[Point]) -> Range:
    """From the smallest to the largest value of the good trials, and a little beyond.

    Of k values from an interval the span is (k - 1) / (k + 1) of it in expectation, so each side is widened
    by 1 / (k - 1) of the span; on the domain's own scale, and not beyond the domain.
    """
    values = sorted({float(point.value) for point in points if point.good})
    if len(values) < FEWEST_VALUES:
        return domain
    low, high = (math.log(each) if domain.log else each for each in (values[0], values[-1]))
    beyond = (high - low) / (len(values) - 1)
    low, high = (math.exp(each) if domain.log else each for each in (low - beyond, high + beyond))
    low, high = _outward(low, high, domain)
    return replace(domain, low=max(domain.low, low), high=min(domain.high, high))


def _outward(low: float, high: float, domain: Range) -> tuple[float, float]:
    """The ends on the domain's own grid, or else with two digits: of each end, or of their distance."""
    if domain.integer or domain.step is not None:
        start, units = domain.low, [domain.step or 1.0] * 2
    elif domain.log:
        start, units = 0.0, [_tenth(low), _tenth(high)]
    else:
        start, units = 0.0, [_tenth(high - low)] * 2
    first = start + math.floor((low - start) / units[0] + TINY) * units[0]
    last = start + math.ceil((high - start) / units[1] - TINY) * units[1]
    return float(f"{first:.6g}"), float(f"{last:.6g}")  # 3 * 0.1 is not 0.3


def _tenth(of: float) -> float:
    """A tenth of the power of ten below."""
    return float(10.0 ** (math.floor(math.log10(of)) - 1))
