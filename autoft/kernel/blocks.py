"""A model's anatomy: embeddings, blocks in forward order, head; and what each depth trains.

Depth k trains the top k blocks and the head, 0 the head alone, `all` everything
with the embeddings. What follows the last block is head. What blocks share (embeddings, relative
position tables, what stands between two blocks) is trained by `all` only, also where a language model's
head is its embeddings. Of an encoder and a decoder the encoder's blocks are the lower ones.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel

from autoft.errors import ModelError
from autoft.kernel.probe import Calls, ReturnSpec, record_calls
from autoft.kernel.stacks import find_stacks
from autoft.spec.hyperparameters import Depth


@dataclass(frozen=True, eq=False)
class Anatomy:
    """How a model is built. Holds the model's own modules, so it belongs to that one instance."""

    blocks: tuple[nn.Module, ...]
    """In forward order; block L-1 is the top one."""
    block_names: tuple[str, ...]
    """Dotted module names, parallel to `blocks`."""
    head: tuple[nn.Module, ...]
    """Modules that only run after the last block, and everything outside the base model."""
    head_names: tuple[str, ...]
    block_parameters: tuple[tuple[str, ...], ...]
    """For each block, the names of its own parameters: without those that it shares."""
    block_outlets: tuple[ReturnSpec, ...]
    """For each block, how it returns its states."""
    block_runs: tuple[int, ...]
    """For each block, how often one forward pass runs it: more than once where layers share weights."""
    head_parameters: tuple[str, ...]
    still_run: tuple[int, ...]
    """For each boundary, how many of the lowest blocks run even where the states there are stored: up to the
    last one that makes something else which a block above takes, as T5's first makes the position bias."""
    constants: frozenset[str]
    """Names of the parameters that the architecture never trains, as Whisper's sinusoidal positions."""
    encoder_end: int | None = None
    """The boundary between encoder and decoder: all blocks above take the states there, beside their own."""
    stem_name: str | None = None
    """The module that hands the first block its states, where these have the shape of all blocks' states."""

    def trained_blocks(self, depth: Depth) -> tuple[nn.Module, ...]:
        """The top blocks that `depth` trains, in forward order."""
        return self.blocks if depth == "all" else self.blocks[len(self.blocks) - depth :]

    def frozen_blocks(self, depth: Depth) -> tuple[nn.Module, ...]:
        """The frozen prefix: the blocks below the boundary, in forward order."""
        return self.blocks[: len(self.blocks) - len(self.trained_blocks(depth))]


def find_blocks(model: PreTrainedModel, inputs: Mapping[str, torch.Tensor]) -> Anatomy:
    """Find the blocks and the head of any transformers architecture by one forward pass.

    The model is left as it was.

    Args:
        model: of any kind of input, as it was loaded: what it has frozen itself stays frozen at each depth.
        inputs: a few rows as the model will get them, by the name of its argument, [b, ...] each; on its
            device.

    Raises:
        ModelError: the model does not take the inputs, or there is no repeated stack whose members feed each
            other.
    """
    calls = _look(model, inputs)
    stacks = find_stacks(model, calls)
    blocks = sorted({unit for stack in stacks for unit in stack}, key=lambda unit: calls.first_start[unit])
    if not blocks:
        raise ModelError(
            f"{type(model).__name__}: cannot find its blocks, a list of layers of one kind that feed each "
            "other, so unfreeze_depth has no meaning for it; choose another architecture"
        )
    names = {module: name for name, module in model.named_modules()}
    head = list(_head(model, set(blocks), calls))
    shared = _shared_parameters(model, stacks, blocks, head)
    return Anatomy(
        blocks=tuple(blocks),
        block_names=tuple(names[block] for block in blocks),
        head=tuple(head),
        head_names=tuple(names[module] for module in head),
        block_parameters=tuple(_names(model, block.parameters(), shared) for block in blocks),
        block_outlets=tuple(calls.outlets[block] for block in blocks),
        block_runs=tuple(calls.runs[block] for block in blocks),
        head_parameters=_names(model, _head_parameters(model, head), shared),
        still_run=tuple(_still_run(blocks, boundary, calls) for boundary in range(len(blocks) + 1)),
        constants=frozenset(name for name, value in model.named_parameters() if not value.requires_grad),
        encoder_end=_encoder_end(blocks, calls),
        # An encoder and a decoder have rows of their own lengths, which may be the same by chance.
        stem_name=_stem(names, blocks, calls) if len(stacks) == 1 else None,
    )


def _look(model: PreTrainedModel, inputs: Mapping[str, torch.Tensor]) -> Calls:
    try:
        return record_calls(model, inputs)
    except Exception as error:  # an architecture may raise anything on what it does not take
        given = ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in inputs.items())
        raise ModelError(f"{type(model).__name__} cannot compute a few rows, {given}: {error!r}") from error


def _head(model: PreTrainedModel, blocks: set[nn.Module], calls: Calls) -> Iterator[nn.Module]:
    """The largest modules that run only after the last block, or lie outside the base model."""
    last_end = max(calls.last_end[block] for block in blocks)
    base = set(model.base_model.modules())

    def walk(module: nn.Module) -> Iterator[nn.Module]:
        for child in module.children():
            if not blocks.isdisjoint(child.modules()):
                if child not in blocks:
                    yield from walk(child)
            elif child not in base or calls.first_start.get(child, 0) > last_end:
                yield child
            elif child not in calls.first_start:  # a list has no call of its own, its members may
                yield from walk(child)

    yield from dict.fromkeys(walk(model))


def _still_run(blocks: Sequence[nn.Module], boundary: int, calls: Calls) -> int:
    if boundary == 0:
        return 0
    top = blocks[boundary - 1]
    taken = {tensor for block in blocks[boundary:] for tensor in calls.inputs[block]} - {calls.outputs[top]}
    # What is made later is made in any case; what the embeddings made is older than every block.
    made = [calls.made[tensor] for tensor in taken if calls.made.get(tensor, math.inf) <= calls.last_end[top]]
    return sum(calls.first_start[block] < max(made, default=0) for block in blocks)


def _encoder_end(blocks: Sequence[nn.Module], calls: Calls) -> int | None:
    for boundary in range(1, len(blocks)):
        top, bottom = blocks[boundary - 1], blocks[boundary]
        span = range(calls.last_end[top], calls.first_start[bottom])  # a norm may follow the last block
        handed = {calls.outputs.get(top)} | {tensor for tensor, tick in calls.made.items() if tick in span}
        if all(handed.intersection(calls.inputs[block][1:]) for block in blocks[boundary:]):
            return boundary
    return None


def _stem(names: Mapping[nn.Module, str], blocks: Sequence[nn.Module], calls: Calls) -> str | None:
    shape = calls.shapes[blocks[0]]
    if any(calls.shapes[block] != shape for block in blocks):
        return None
    for module, name in names.items():  # outer modules come before inner ones
        if calls.feeds(module, blocks[0]) and calls.shapes[module] == shape and calls.outlets[module] == ():
            return name
    return None


def _head_parameters(model: PreTrainedModel, head: Sequence[nn.Module]) -> Iterator[nn.Parameter]:
    for module in head:
        yield from module.parameters()
    if model.base_model is not model:
        yield from model.parameters(recurse=False)


def _shared_parameters(
    model: PreTrainedModel,
    stacks: Sequence[Sequence[nn.Module]],
    blocks: Sequence[nn.Module],
    head: Sequence[nn.Module],
) -> set[nn.Parameter]:
    """Embeddings and everything that several blocks use, wherever it is registered."""
    placed = {module for part in (*blocks, *head) for module in part.modules()}
    if model.base_model is not model:
        placed.add(model)
    shared = {
        p for module in model.modules() if module not in placed for p in module.parameters(recurse=False)
    }
    uses = Counter(parameter for block in blocks for parameter in block.parameters())
    shared |= {parameter for parameter, count in uses.items() if count > 1}
    for stack in stacks:
        shared |= _lent_tables(stack)
    return shared


def _lent_tables(stack: Sequence[nn.Module]) -> set[nn.Parameter]:
    """Embeddings of the first block that no other has, such as T5's relative attention bias.

    The first block looks them up and hands the result to all the others.
    """
    paths = [
        {name for name, module in unit.named_modules() if isinstance(module, nn.Embedding)} for unit in stack
    ]
    lent = paths[0].difference(*paths[1:]) if len(paths) > 1 else set()
    return {parameter for path in lent for parameter in stack[0].get_submodule(path).parameters()}


def _names(
    model: nn.Module, parameters: Iterable[nn.Parameter], without: set[nn.Parameter]
) -> tuple[str, ...]:
    wanted = set(parameters) - without
    return tuple(name for name, parameter in model.named_parameters() if parameter in wanted)


def require_depth(anatomy: Anatomy, depth: Depth) -> None:
    """Refuse a depth that the model does not have.

    Raises:
        ModelError: `depth` is more than the model's blocks, or negative.
    """
    blocks = len(anatomy.blocks)
    if depth != "all" and not 0 <= depth <= blocks:
        raise ModelError(
            f"unfreeze_depth must be between 0 and the model's {blocks} blocks, or `all`, got {depth}"
        )


def trained_parameters(model: nn.Module, anatomy: Anatomy, depth: Depth) -> dict[str, nn.Parameter]:
    """The parameters that `depth` trains, by name, in the model's own order.

    Raises:
        ModelError: the model has fewer blocks than `depth`.
    """
    require_depth(anatomy, depth)
    if depth == "all":
        return {name: value for name, value in model.named_parameters() if name not in anatomy.constants}
    first = len(anatomy.blocks) - depth
    wanted = set(anatomy.head_parameters).union(*anatomy.block_parameters[first:])
    return {name: parameter for name, parameter in model.named_parameters() if name in wanted}


def describe_depths(model: nn.Module, anatomy: Anatomy, depths: Iterable[Depth]) -> dict[Depth, int]:
    """How many numbers each depth trains, for `autoft check`.

    Raises:
        ModelError: the model has fewer blocks than one of `depths`.
    """
    return {
        depth: sum(parameter.numel() for parameter in trained_parameters(model, anatomy, depth).values())
        for depth in depths
    }
