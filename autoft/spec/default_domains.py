"""What is searched where the user says nothing, fitted to the models: shares of their blocks, and learning
rates around the recommended one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from autoft.spec.describe import domain_text
from autoft.spec.domains import Entry
from autoft.spec.hyperparameters import ALL, Hyperparameter
from autoft.spec.recommended import share_depths
from autoft.spec.space import Choice, Parameter, Range, SearchSpace, Value
from autoft.spec.study import StudySpec

DEPTH, RATE = "unfreeze_depth", "learning_rate"
AROUND = 8
"""The rates reach from the recommended one divided by this to the one multiplied by it, so that the rate of a
sixth of the blocks (`shallow_learning_rate`) is inside. On recorded curves neither a wider nor a narrower
range made a difference (experiments/LOG.md)."""
_IN_WORDS: Mapping[str, str] = {
    DEPTH: "0, a sixth, a third or two thirds of the model's blocks, or all",
    RATE: f"1/{AROUND} to {AROUND} times the recommended rate, log",
}


def is_fitted(searched: Parameter | Entry) -> bool:
    """Whether its domain is still to be fitted to the models, and then holds what the user names."""
    return searched.by_default and searched.name in _IN_WORDS


def fit_domains(spec: StudySpec, blocks: int, rates: Sequence[float]) -> SearchSpace:
    """The space, with the domains that are there by default fitted to the models.

    What the user names in `first`, or a depth in a condition, is inside. What the user asked to be searched
    is left alone: more blocks than the model has is then an error, not a wish.

    Args:
        spec: the request.
        blocks: of the model that has the fewest.
        rates: the recommended learning rate of each model.
    """
    fitted: dict[str, Choice | Range] = {DEPTH: _depths(spec, blocks), RATE: _rates(spec, rates)}
    parameters = (
        replace(each, domain=fitted[each.name]) if is_fitted(each) else each for each in spec.space.parameters
    )
    return replace(spec.space, parameters=tuple(parameters))


def default_domain_text(hyperparameter: Hyperparameter) -> str:
    """What is searched of it where the user says nothing, before the models are known; "" where it is not.

    >>> from autoft.spec.hyperparameters import COMMON
    >>> default_domain_text(COMMON["learning_rate"]), default_domain_text(COMMON["dropout"])
    ('1/8 to 8 times the recommended rate, log', '0 to 0.4')
    """
    if hyperparameter.searched is None:
        return ""
    return _IN_WORDS.get(hyperparameter.name, domain_text(hyperparameter.searched))


def _depths(spec: StudySpec, blocks: int) -> Choice:
    conditions = (each for parameter in spec.space.parameters for each in parameter.conditions)
    named = {value for each in conditions if each.parent == DEPTH for value in each.values}
    named.update(_first(spec, DEPTH))
    numbers = {0, *share_depths(blocks), *(int(each) for each in named if each != ALL)}
    return Choice((*sorted(each for each in numbers if each <= blocks), ALL))


def _rates(spec: StudySpec, rates: Sequence[float]) -> Range:
    named = [float(each) for each in _first(spec, RATE)]
    low, high = (float(f"{end:.2g}") for end in (min(rates) / AROUND, max(rates) * AROUND))
    return Range(min([low, *named]), max([high, *named]), integer=False, log=True)


def _first(spec: StudySpec, name: str) -> Iterator[Value]:
    return (entry[name] for entry in spec.first if name in entry)


def deepest(spec: StudySpec) -> int:
    """The most blocks that the user asks to train, fixed, searched or in `first`; 0 where none."""
    asked = [spec.space.fixed.get(DEPTH), *_first(spec, DEPTH)]
    for parameter in spec.space.parameters:
        if parameter.name == DEPTH and not parameter.by_default:
            domain = parameter.domain
            asked += [domain.high] if isinstance(domain, Range) else list(domain.values)
    return max((int(depth) for depth in asked if isinstance(depth, int | float)), default=0)
