"""Which modules are the repeated units of an architecture: encoder layers, residual blocks.

A stack is a list of modules of one class, or of transformers' own checkpointable layers, whose members
feed each other. Where the members are stages (as in ResNet, ConvNeXt or Swin) the units are inside them.
What repeats within a unit is no unit: the experts of a mixture do not feed each other. A single
convolution or linear map is too little: the convolutions that turn sound into vectors, in wav2vec2 and
its like, belong to the embeddings.
"""

from collections.abc import Iterator
from itertools import pairwise

from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer

from autoft.kernel.probe import Calls

MIN_MATRICES = 2
"""A unit transforms and comes back; one weight matrix (a convolution with its norm) is a part of one."""


def find_stacks(module: nn.Module, calls: Calls) -> list[list[nn.Module]]:
    """All stacks below `module`, each as its units that ran, in registration order.

    ALBERT's one layer, run twelve times, is a stack of one.
    """
    return list(_stacks(module, module, calls))


def _stacks(module: nn.Module, owner: nn.Module, calls: Calls) -> Iterator[list[nn.Module]]:
    """`owner` is the nearest module around that has a forward pass of its own."""
    for child in module.children():
        members = [member for member in child.children() if member in calls.first_start]
        if not _is_list(child):
            yield from _stacks(child, child, calls)
        elif _is_stack(members, owner, calls):
            yield from _opened(members, calls)
        else:
            yield from _stacks(child, owner, calls)


def _opened(members: list[nn.Module], calls: Calls) -> Iterator[list[nn.Module]]:
    """The stack itself, or the stacks inside its members where these are stages."""
    whole: list[nn.Module] = []
    for member in members:
        inner = [units for units in find_stacks(member, calls) if _is_stage(member, units, calls)]
        if inner:
            yield from inner
        else:
            whole.append(member)
    if whole:
        yield whole


def _is_list(module: nn.Module) -> bool:
    return isinstance(module, (nn.ModuleList, nn.Sequential))


def _is_stack(members: list[nn.Module], owner: nn.Module, calls: Calls) -> bool:
    if not members or any(_is_list(member) for member in members) or not all(map(_is_unit, members)):
        return False
    if all(isinstance(member, GradientCheckpointingLayer) for member in members):
        return True
    if len({type(member) for member in members}) > 1:
        return False
    chained = any(calls.feeds(first, second) for first, second in pairwise(members))
    return chained or calls.starts(owner, members[0]) or calls.ends(owner, members[-1])


def _is_unit(module: nn.Module) -> bool:
    return sum(parameter.ndim >= 2 for parameter in module.parameters()) >= MIN_MATRICES


def _is_stage(outer: nn.Module, units: list[nn.Module], calls: Calls) -> bool:
    """A stage hands what it gets to its first unit or returns its last one's output.

    A unit with a list inside does neither: MobileBERT's feed-forward networks run in its middle.
    """
    return calls.starts(outer, units[0]) or calls.ends(outer, units[-1])
