"""The configuration of a space that is nearest to given values."""

import math

from autoft.spec.hyperparameters import ALL
from autoft.spec.space import Choice, Range, SearchSpace, Value
from autoft.spec.tasks import HYPERPARAMETERS

_BY_RATIO = frozenset(name for name, each in HYPERPARAMETERS.items() if each.by_ratio)


def nearest(space: SearchSpace, blocks: int) -> dict[str, Value]:
    """The searched parameters that count, each at the value of its domain that is nearest to its default.

    Args:
        space: its defaults are the wanted values.
        blocks: of the model: the depth `all` is one more than all blocks.
    """
    wanted = space.resolve({})
    params: dict[str, Value] = {}
    for parameter in space.parameters:
        if space.active(parameter, params):
            value = wanted.get(parameter.name)
            params[parameter.name] = nearest_value(parameter.name, parameter.domain, value, blocks)
    return params


def nearest_value(name: str, domain: Choice | Range, value: Value | None, blocks: int) -> Value:
    """The value nearest to `value`; if no word matches, the first one, such as the model named first."""
    wanted = _number(value, blocks)
    if isinstance(domain, Choice):
        if value is not None and value in domain.values:
            return value
        if wanted is None:
            return domain.values[0]
        known = [each for each in domain.values if _number(each, blocks) is not None]
        by_ratio = name in _BY_RATIO
        return min(known, key=lambda each: _distance(_number(each, blocks) or 0.0, wanted, by_ratio=by_ratio))
    moved = min(domain.high, max(domain.low, wanted or 0.0))
    if domain.step is not None:
        moved = domain.low + round((moved - domain.low) / domain.step) * domain.step
    return round(moved) if domain.integer else float(moved)


def trained_share(depth: Value, blocks: int) -> float:
    """The share of a model's blocks that are trained at that depth."""
    return 1.0 if depth == ALL else min(1.0, float(depth) / max(1, blocks))


def _distance(one: float, other: float, *, by_ratio: bool) -> float:
    if by_ratio and one > 0 and other > 0:
        return abs(math.log(one / other))
    return abs(one - other)


def _number(value: Value | None, blocks: int) -> float | None:
    """The value as a number: the depth `all` is one more than all blocks; None for another word."""
    if value == ALL:
        return blocks + 1.0
    return float(value) if isinstance(value, int | float) else None
