"""The top block computes no more than the head reads.

Where the head reads a row's first token alone, as BERT's pooler does, what the top block makes of the others
after its attention is for nothing: with a feed-forward of four times the width three quarters of its work.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from autoft.kernel.blocks import Anatomy, trained_parameters
from autoft.kernel.boundary.valid import (
    Sample,
    agree,
    difference,
    outputs_and_gradients,
    refusal,
    tokens_read,
)
from autoft.kernel.freeze import evaluation_mode, set_depth
from autoft.kernel.probe import record_calls

_LOG = logging.getLogger(__name__)


@contextmanager
def first_token_only(model: nn.Module, part: str) -> Iterator[None]:
    """From `part` of the top block on, compute the first token of each row only, for a while."""

    def narrow(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return tuple(map(_first, args)), {name: _first(value) for name, value in kwargs.items()}

    handle = model.get_submodule(part).register_forward_pre_hook(narrow, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _first(value: Any) -> Any:
    """Hidden states [rows, tokens, hidden] to those of the first tokens; anything else as it is."""
    return value[:, :1] if isinstance(value, torch.Tensor) and value.ndim == 3 else value


def find_part(model: PreTrainedModel, anatomy: Anatomy, sample: Sample) -> str | None:
    """Where in the top block the first tokens are enough: the earliest module that changes no result.

    Each module of the block is tried on a batch in float32; outputs and the gradients of block and head have
    to agree with those of whole rows (`valid.TOLERANCE`; sums of other lengths differ in the last bits). A
    module before or in the attention fails, for there the first token needs the others.

    Args:
        model: left frozen to depth 1 and in evaluation mode.
        anatomy: the model's.
        sample: rows of different lengths.

    Returns:
        The module's name; None where the head reads other tokens too, or no module will do.
    """
    if refusal(model, anatomy, 0) or difference(model, anatomy, 0, sample, "all"):
        return None  # what cannot be cut behind its blocks is not taken apart within them
    if tokens_read(model, anatomy, sample) != "first":
        return None
    set_depth(model, anatomy, 1, dropout=0.0)
    evaluation_mode(model)
    trained = list(trained_parameters(model, anatomy, 1).values())
    batch = sample.batch(model.device)
    outputs, gradients = outputs_and_gradients(model, sample, batch, trained)
    for part in _parts(model, anatomy.block_names[-1], batch.inputs):
        with first_token_only(model, part), _returned(anatomy.blocks[-1]) as returned:
            try:
                narrowed = outputs_and_gradients(model, sample, batch, trained)
            except Exception as error:  # an architecture may raise anything where shapes do not fit
                _LOG.debug("%s does not run on the first token of a row alone: %s", part, error)
                continue
        if returned == [1] and agree([*outputs, *gradients], [*narrowed[0], *narrowed[1]]):
            return part
    return None


def _parts(model: nn.Module, block: str, inputs: Mapping[str, torch.Tensor]) -> list[str]:
    """The modules in `block` that a forward pass runs once, in its order, outer ones first."""
    calls = record_calls(model, inputs)
    names = {name: module for name, module in model.named_modules() if name.startswith(f"{block}.")}
    ran = [name for name, module in names.items() if calls.runs[module] == 1]
    return sorted(ran, key=lambda name: calls.first_start[names[name]])


@contextmanager
def _returned(block: nn.Module) -> Iterator[list[int]]:
    """How many tokens of each row `block` returns, a number a call."""
    counts: list[int] = []

    def note(module: nn.Module, args: Any, output: Any) -> None:
        states = output[0] if isinstance(output, tuple) else output
        counts.append(states.shape[1])

    handle = block.register_forward_hook(note)
    try:
        yield counts
    finally:
        handle.remove()
