"""The search space: fixed values, distributions, and the conditions under which they count."""

from collections.abc import Mapping
from dataclasses import dataclass

Value = bool | int | float | str
"""What a hyperparameter can be set to."""


def is_whole(number: float) -> bool:
    """Whether `number` is an integer up to what binary fractions such as 0.1 lose."""
    return abs(number - round(number)) < 1e-9 * max(1.0, abs(number))


@dataclass(frozen=True)
class Choice:
    """One of a few values, in the order in which the user wrote them."""

    values: tuple[Value, ...]

    @property
    def first(self) -> Value:
        """The one that the user wrote first."""
        return self.values[0]

    def contains(self, value: Value) -> bool:
        """Whether `value`, in the hyperparameter's own type, can be sampled."""
        return value in self.values


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, both included."""

    low: float
    high: float
    integer: bool
    """The parameter's own nature, not that of the literal: `epochs: {low: 1.0, high: 4}` is of integers."""
    log: bool = False
    step: float | None = None

    @property
    def first(self) -> Value:
        """Its low end."""
        return self.low

    def contains(self, value: Value) -> bool:
        """Whether `value`, in the hyperparameter's own type, can be sampled: within, and on a step."""
        if not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        return self.step is None or is_whole((value - self.low) / self.step)


@dataclass(frozen=True)
class Condition:
    """`when` (or, negated, `unless`) a parent has one of these values."""

    parent: str
    values: tuple[Value, ...]
    negated: bool = False

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Whether the condition holds for a trial's resolved values (parent to value)."""
        return (values[self.parent] in self.values) != self.negated


@dataclass(frozen=True)
class Parameter:
    """A searched hyperparameter: its domain, and when it counts."""

    name: str
    domain: Choice | Range
    conditions: tuple[Condition, ...] = ()
    """All must hold; a condition on an inactive parent sees that parent's default."""
    by_default: bool = False
    """Searched because the user did not mention it, so autoft may fit it to the models."""


@dataclass(frozen=True)
class SearchSpace:
    """Everything that a trial can be given.

    `resolve` is the one place where a trial's sampled parameters become a full set of values.
    """

    fixed: Mapping[str, Value]
    """Values that the user fixed, by hyperparameter."""
    parameters: tuple[Parameter, ...]
    """Parents before children."""
    defaults: Mapping[str, Value]
    """Of every hyperparameter of the task."""

    def active(self, parameter: Parameter, params: Mapping[str, Value]) -> bool:
        """Whether `parameter` counts in a trial whose parents have the values in `params`."""
        values = self.resolve(params)
        return all(condition.holds(values) for condition in parameter.conditions)

    def resolve(self, params: Mapping[str, Value]) -> dict[str, Value]:
        """Every hyperparameter's value: sampled, else fixed, else the default."""
        return {**self.defaults, **self.fixed, **params}

    def first(self) -> dict[str, Value]:
        """Every hyperparameter's value: of one that is searched the first choice or the low end."""
        return self.resolve({each.name: each.domain.first for each in self.parameters})

    def ends(self, name: str) -> tuple[float, float]:
        """The smallest and the largest number that a hyperparameter can have in a trial.

        Words, such as the depth `all`, are left out.
        """
        searched = next((parameter for parameter in self.parameters if parameter.name == name), None)
        numbers: list[Value] = []
        if searched is None or searched.conditions:
            numbers.append(self.resolve({})[name])
        if searched is not None:
            domain = searched.domain
            numbers += domain.values if isinstance(domain, Choice) else (domain.low, domain.high)
        known = [number for number in numbers if isinstance(number, int | float)]
        return min(known), max(known)
