"""The corners of a space: the values that decide what a trial costs, at their ends."""

from collections.abc import Mapping

from autoft.spec.hyperparameters import Cost
from autoft.spec.space import Choice, Range, SearchSpace, Value
from autoft.spec.space_section import MODEL
from autoft.spec.tasks import HYPERPARAMETERS

_RANKED = sorted((each for each in HYPERPARAMETERS.values() if each.cost), key=lambda each: each.cost)
_COSTLY = (MODEL, *(each.name for each in _RANKED))


def costly(values: Mapping[str, Value]) -> dict[str, Value]:
    """Of a trial's values those that decide memory and seconds a step."""
    return {name: values[name] for name in _COSTLY if name in values}


def corners(space: SearchSpace) -> list[dict[str, Value]]:
    """The costliest and the cheapest trials that the space can ask for, without repetition.

    Up to four a model, the costliest first: the deepest with the longest rows and the shallowest with the
    shortest, each with the largest and the smallest batch. The largest batch takes most memory; the smallest
    can take most time, because it makes the most steps of a trial.

    Each holds the `costly` values; conditions of the space hold in all of them.
    """
    found: list[dict[str, Value]] = []
    possible = _possible(space)
    for model in dict.fromkeys(values["model"] for values in possible):
        of_model = [values for values in possible if values["model"] == model]
        for deep in (1, -1):
            for large in (1, -1):
                corner = max(of_model, key=lambda values: _rank(values, deep, large))
                if corner not in found:
                    found.append(corner)
    return found


def _rank(values: Mapping[str, Value], deep: int, large: int) -> tuple[float, ...]:
    return tuple(
        (large if each.cost is Cost.ROWS else deep) * each.size(values[each.name])
        for each in _RANKED
        if each.name in values
    )


def _possible(space: SearchSpace) -> list[dict[str, Value]]:
    """Every combination of the choices and ends of what is costly, and of what decides whether it counts."""
    wanted = set(_COSTLY)
    for parameter in reversed(space.parameters):  # children before parents
        if parameter.name in wanted:
            wanted |= {condition.parent for condition in parameter.conditions}
    combined: list[dict[str, Value]] = [{}]
    for parameter in space.parameters:
        if parameter.name not in wanted:
            continue
        grown: list[dict[str, Value]] = []
        for params in combined:
            values = _ends(parameter.domain) if space.active(parameter, params) else None
            grown += [params] if values is None else [{**params, parameter.name: value} for value in values]
        combined = grown
    return [costly(space.resolve(params)) for params in combined]


def _ends(domain: Choice | Range) -> tuple[Value, ...]:
    if isinstance(domain, Choice):
        return domain.values
    low, high = domain.low, domain.high
    return (int(low), int(high)) if domain.integer else (low, high)
