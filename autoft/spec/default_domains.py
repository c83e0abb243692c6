"""What is searched where the user says nothing, fitted to the models: shares of their blocks, and learning
rates around the recommended one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from autoft.spec.describe import domain_text
from autoft.spec.domains import Entry
from autoft.spec.hyperparameters import ALL, Hyperparameter
from autoft.spec.recommended import DEPTH, RATE, share_depths
from autoft.spec.space import Choice, Parameter, Range, SearchSpace
from autoft.spec.study import StudySpec

AROUND = 8
"""The rates reach from the recommended one divided by this to the one multiplied by it, so that the rate of a
sixth of the blocks (`shallow_learning_rate`) is inside. On recorded curves other ranges were no better or
worse (experiments/LOG.md)."""
_IN_WORDS: Mapping[str, str] = {
    DEPTH: "0, a sixth, a third or two thirds of the blocks, or all",
    RATE: f"1/{AROUND} to {AROUND} times the recommended rate, log",
}


def awaits_models(searched: Parameter | Entry) -> bool:
    """Whether its domain stands in until the models are known."""
    return searched.by_default and searched.name in _IN_WORDS


def awaiting_models(space: SearchSpace) -> dict[str, str]:
    """By name, in words, the domains that stand in until the models are known."""
    return {each.name: _IN_WORDS[each.name] for each in space.parameters if awaits_models(each)}


def fit_domains(space: SearchSpace, blocks: int, rates: Sequence[float]) -> SearchSpace:
    """`space`, with the domains that are there by default fitted to the models.

    What the user asked to be searched is left alone: more blocks than a model has is then an error, not a
    wish.

    Args:
        space: of the request.
        blocks: of the model that has the fewest.
        rates: the recommended learning rate of each model.
    """
    low, high = (float(f"{end:.2g}") for end in (min(rates) / AROUND, max(rates) * AROUND))
    fitted: dict[str, Choice | Range] = {
        DEPTH: Choice((0, *share_depths(blocks), ALL)),
        RATE: Range(low, high, integer=False, log=True),
    }
    parameters = (
        replace(each, domain=fitted[each.name]) if awaits_models(each) else each for each in space.parameters
    )
    return replace(space, parameters=tuple(parameters))


def default_domain_text(hyperparameter: Hyperparameter) -> str:
    """What is searched of it where the user says nothing, before the models are known; "" where it is not.

    >>> from autoft.spec.hyperparameters import COMMON
    >>> default_domain_text(COMMON["learning_rate"]), default_domain_text(COMMON["dropout"])
    ('1/8 to 8 times the recommended rate, log', '0 to 0.4')
    """
    if hyperparameter.searched is None:
        return ""
    return _IN_WORDS.get(hyperparameter.name, domain_text(hyperparameter.searched))


def deepest(spec: StudySpec) -> int:
    """The most blocks that the user asks to train, fixed, searched or in `first`; 0 where none."""
    asked = [spec.space.fixed.get(DEPTH), *(entry.get(DEPTH) for entry in spec.first)]
    for parameter in spec.space.parameters:
        if parameter.name == DEPTH and not parameter.by_default:
            domain = parameter.domain
            asked += [domain.high] if isinstance(domain, Range) else list(domain.values)
    return max((int(depth) for depth in asked if isinstance(depth, int | float)), default=0)
