"""What a study does not keep at its boundaries, in words for a person."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from autoft.spec.hyperparameters import Depth
from autoft.spec.space import Value

LISTED = 8
"""As many values are named one by one; of more only how many they are, and the ends."""


@dataclass(frozen=True)
class LeftOut:
    """One boundary of one model and length of rows that is not kept."""

    model: str
    """The reference from space.yaml."""
    max_length: int | None
    """See `CachePlan.length`."""
    depth: Depth
    """The `unfreeze_depth` that would read it."""
    reason: str
    suspect: bool = False
    """Whether a run with stored states differed: nothing that the architecture lets expect."""


def sentences(left_out: Sequence[LeftOut], lengths: Mapping[str, int]) -> list[str]:
    """One for each reason, after what it holds for; models and lengths are named where there are several.

    Args:
        left_out: in any order.
        lengths: by model of the study, at how many lengths its rows are encoded.

    >>> sentences([LeftOut("m", 128, depth, "no block is frozen") for depth in (5, 6)], {"m": 1})
    ['nothing at depth 5, 6: no block is frozen']
    """
    reached: dict[tuple[str, str, Depth], list[int | None]] = defaultdict(list)
    for each in left_out:
        reached[each.model, each.reason, each.depth].append(each.max_length)
    together: dict[tuple[str, str, tuple[int | None, ...]], list[Depth]] = defaultdict(list)
    for (model, reason, depth), at in reached.items():
        together[model, reason, tuple(sorted(at, key=lambda length: length or 0))].append(depth)
    told = []
    for (model, reason, found), depths in together.items():
        of_model = f" of {model}" if len(lengths) > 1 else ""
        at_length = f"max_length {_listed(found)} and " if len(found) < lengths[model] else ""
        told.append(f"nothing{of_model} at {at_length}depth {_listed(depths)}: {reason}")
    return told


def uncut(longest: Mapping[str, int], largest: int) -> list[str]:
    """That `max_length` does not matter above the longest row, for each model of `longest`.

    >>> uncut({"m": 62}, largest=80)
    ['no row has more than 62 tokens, so a larger max_length is the same']
    """
    return [
        f"no row{f' of {model}' if len(longest) > 1 else ''} has more than {tokens} tokens, so a larger "
        "max_length is the same"
        for model, tokens in longest.items()
        if tokens < largest
    ]


def alone(names: Collection[str], values: Mapping[str, Value]) -> list[str]:
    """That trials with other values of a searched hyperparameter keep nothing.

    >>> alone(["size"], {"size": 16})
    ['nothing at another size than 16: its rows are encoded otherwise']
    """
    return [
        f"nothing at another {name} than {values[name]}: its rows are encoded otherwise"
        for name in sorted(names)
    ]


def mixing_padding(models: Sequence[str]) -> list[str]:
    """What it means that each of these models answers to a row by how far its batch is padded.

    >>> mixing_padding(["fnet"])
    ['fnet reads padding, so its answer to a row and its scores depend on which rows are in a batch together']
    """
    return [
        f"{name} reads padding, so its answer to a row and its scores depend on which rows are in a batch "
        "together"
        for name in models
    ]


def _listed(values: Sequence[object]) -> str:
    if len(values) <= LISTED:
        return ", ".join(map(str, values))
    return f"{values[0]} to {values[-1]} ({len(values)} values)"
