"""The search space in words, for `autoft check` and reports."""

from typing import NamedTuple

from autoft.spec.space import Choice, Condition, Parameter, Range, SearchSpace
from autoft.spec.wording import any_of, got, number


class Line(NamedTuple):
    """One hyperparameter of a space, in words."""

    name: str
    domain: str
    """What it can be: `1e-5 to 0.001, log`; a fixed value or a default says so."""
    condition: str
    """When it counts; empty where it always does."""


def describe(space: SearchSpace) -> list[Line]:
    """Every hyperparameter of `space`: the searched ones, then the fixed ones, then the defaults."""
    lines = [
        Line(
            parameter.name,
            domain_text(parameter.domain) + (" (by default)" if parameter.by_default else ""),
            condition_text(parameter),
        )
        for parameter in space.parameters
    ]
    lines += [Line(name, f"{_value(value)} (fixed)", "") for name, value in space.fixed.items()]
    known = {line.name for line in lines}
    rest = {name: value for name, value in space.defaults.items() if name not in known}
    return lines + [Line(name, f"{_value(value)} (default)", "") for name, value in rest.items()]


def domain_text(domain: Choice | Range) -> str:
    """A domain in words.

    >>> domain_text(Range(1e-5, 1e-3, integer=False, log=True)), domain_text(Choice((0, "all")))
    ('1e-5 to 0.001, log', '0 or all')
    """
    if isinstance(domain, Choice):
        return any_of(domain.values)
    log = ", log" if domain.log else ""
    step = f", step {number(domain.step)}" if domain.step is not None else ""
    return f"{number(domain.low)} to {number(domain.high)}{log}{step}"


def condition_text(parameter: Parameter) -> str:
    """When a parameter counts, in words; empty where it always does."""
    return " and ".join(_condition(condition) for condition in parameter.conditions)


def _condition(condition: Condition) -> str:
    return f"{'unless' if condition.negated else 'when'} {condition.parent} is {any_of(condition.values)}"


def _value(value: object) -> str:
    return value if isinstance(value, str) else got(value)
