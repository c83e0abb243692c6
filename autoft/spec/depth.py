"""Fits the searched depths to the model, once its blocks are counted."""

from dataclasses import replace

from autoft.spec.space import Choice, Range, SearchSpace
from autoft.spec.study import StudySpec

_DEPTH = "unfreeze_depth"


def narrow_depth(space: SearchSpace, n_blocks: int) -> SearchSpace:
    """`space` without the depths above `n_blocks` where they are there by default.

    What the user asked for is left alone: more than the model has is then an error, not a wish.
    """
    parameters = []
    for parameter in space.parameters:
        domain = parameter.domain
        if parameter.name == _DEPTH and parameter.by_default and isinstance(domain, Choice):
            fitting = tuple(value for value in domain.values if isinstance(value, str) or value <= n_blocks)
            parameter = replace(parameter, domain=Choice(fitting))
        parameters.append(parameter)
    return replace(space, parameters=tuple(parameters))


def deepest(spec: StudySpec) -> int:
    """The most blocks that the user asks to train, fixed, searched or in `first`; 0 where none."""
    asked = [spec.space.fixed.get(_DEPTH), *(entry.get(_DEPTH) for entry in spec.first)]
    for parameter in spec.space.parameters:
        if parameter.name == _DEPTH and not parameter.by_default:
            domain = parameter.domain
            asked += [domain.high] if isinstance(domain, Range) else list(domain.values)
    return max((int(depth) for depth in asked if isinstance(depth, int | float)), default=0)
