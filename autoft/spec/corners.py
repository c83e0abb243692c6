"""The corners of a space: the values that decide what a trial costs, at their ends."""

from collections.abc import Mapping

from autoft.spec.hyperparameters import ALL
from autoft.spec.space import Choice, Range, SearchSpace, Value

COSTLY = ("model", "unfreeze_depth", "max_length", "batch_size", "optimizer")
"""What decides memory and seconds a step; the rest does not."""
_MOMENTS = {"adafactor": 0.0, "sgd": 1.0, "adamw": 2.0}
"""What each optimizer keeps of a parameter, in its sizes."""


def corners(space: SearchSpace) -> list[dict[str, Value]]:
    """The costliest and the cheapest trials that the space can ask for, without repetition.

    Up to four a model, the costliest first: the deepest with the longest rows and the shallowest with the
    shortest, each with the largest and the smallest batch. The largest batch takes most memory; the smallest
    can take most time, because it makes the most steps of a trial.

    Each holds the values of `COSTLY`; conditions of the space hold in all of them.
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
    depth = float("inf") if values["unfreeze_depth"] == ALL else float(values["unfreeze_depth"])
    length, rows = float(values["max_length"]), float(values["batch_size"])
    return deep * depth, deep * length, large * rows, deep * _MOMENTS[str(values["optimizer"])]


def _possible(space: SearchSpace) -> list[dict[str, Value]]:
    """Every combination of the choices and ends of what is costly, and of what decides whether it counts."""
    wanted = set(COSTLY)
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
    resolved = [space.resolve(params) for params in combined]
    return [{name: values[name] for name in COSTLY} for values in resolved]


def _ends(domain: Choice | Range) -> tuple[Value, ...]:
    if isinstance(domain, Choice):
        return domain.values
    low, high = domain.low, domain.high
    return (int(low), int(high)) if domain.integer else (low, high)
