"""An axis: where values lie on it, in percent, and where its labels are."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autoft.report import words
from autoft.report.page.blocks import Percent, Tick
from autoft.spec.space import Choice, Range, Value

MARGIN = 0.05
"""Of the span, left free at each end."""


@dataclass(frozen=True)
class Axis:
    """From `low` at 0 % to `high` at 100 %; the other way round for an axis that goes up (`up`)."""

    low: float
    high: float
    log: bool = False
    up: bool = False

    @classmethod
    def around(cls, values: Iterable[float], *, up: bool = False) -> "Axis":
        """Around all finite values, with a margin."""
        finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
        low, high = min(finite), max(finite)
        margin = MARGIN * (high - low) or MARGIN * abs(high) or 1.0
        return cls(low - margin, high + margin, up=up)

    @classmethod
    def over(cls, domain: Range) -> "Axis":
        """Over a searched range, with a margin."""
        low, high = (math.log(each) if domain.log else each for each in (domain.low, domain.high))
        margin = MARGIN * (high - low)
        low, high = (math.exp(each) if domain.log else each for each in (low - margin, high + margin))
        return cls(low, high, log=domain.log)

    def at(self, value: float) -> Percent:
        """Where a value lies; outside the axis at its end."""
        low, high, value = (math.log(each) if self.log else each for each in (self.low, self.high, value))
        share = min(1.0, max(0.0, (value - low) / (high - low)))
        return round(100 * (1 - share if self.up else share), 2)

    @property
    def ticks(self) -> list[Tick]:
        """About four round numbers within it."""
        numbers = _decades(self.low, self.high) if self.log else _steps(self.low, self.high)
        return [Tick(self.at(each), words.number(each)) for each in numbers]


def _steps(low: float, high: float) -> list[float]:
    """Multiples of the smallest 1, 2 or 5 times a power of ten of which at most five fit."""
    unit = 10.0 ** math.floor(math.log10((high - low) / 5))
    step = next(k * unit for k in (1, 2, 5, 10) if (high - low) / (k * unit) <= 5)
    return [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten, or with less than two decades also 2 and 5 times them, at most about five."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if math.log10(high / low) < 2 else (1,)
    numbers = [factor * 10.0**power for power in powers for factor in factors]
    within = [each for each in numbers if low <= each <= high]
    return within[:: math.ceil(len(within) / 5)] if within else [low, high]


@dataclass(frozen=True)
class Names:
    """An axis of a choice: its values side by side."""

    values: Sequence[Value]

    def at(self, value: Value, aside: float = 0.0) -> Percent:
        """Where a value lies; `aside`, from -1 to 1, moves it within its own place."""
        return round(100 * (self.values.index(value) + 0.5 + 0.3 * aside) / len(self.values), 2)

    @property
    def ticks(self) -> list[Tick]:
        """All of them."""
        return [Tick(self.at(each), words.value(each)) for each in self.values]


def of_domain(domain: Choice | Range) -> Axis | Names:
    """The axis of a searched parameter."""
    return Axis.over(domain) if isinstance(domain, Range) else Names(domain.values)
