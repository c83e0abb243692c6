"""Where stored states may stand for a frozen prefix, and the reason in words where they may not.

An augmentation that changes rows at random below the boundary would be another reason; no task has one yet.
"""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from autoft.data.batch import collate
from autoft.data.encode import Tokens
from autoft.kernel.blocks import Anatomy, trained_parameters
from autoft.kernel.boundary.inject import injected, states_at
from autoft.kernel.boundary.states import Reads, States, flattened, narrowed, positions
from autoft.kernel.config import Depth
from autoft.kernel.freeze import evaluation_mode, set_depth

_LOG = logging.getLogger(__name__)
TOLERANCE = 1e-5
"""Of the largest number compared. Other shapes, and sums of gradients, change the last bits of float32
(6e-8); a token that is missing or read in vain changes far more."""

PADDING_TOLERANCE = 1e-4
"""Of a row's largest number. Sums of masked tokens change its last bits, block after block; an architecture
that mixes padding in (FNet, ConvBERT) changes its hundredths."""

Inputs = Mapping[str, torch.Tensor]


def refusal(model: nn.Module, anatomy: Anatomy, depth: Depth) -> str | None:
    """Why the architecture forbids to store what lies below the trained blocks of `depth`; else None."""
    if depth == "all":
        return "the embeddings are trained"
    frozen, live = anatomy.frozen_blocks(depth), anatomy.trained_blocks(depth)
    if not frozen:
        return "no block is frozen"
    if max(anatomy.block_runs) > 1:
        return f"one block runs {max(anatomy.block_runs)} times with shared parameters, below and above"
    if None in anatomy.block_outlets:
        return "its blocks do not return their hidden states as a tensor or the first of a tuple"
    if anatomy.still_run[len(frozen)] == len(frozen):
        return "all frozen blocks have to run, because a trained one takes more than states from the last"
    below = {parameter for block in frozen for parameter in block.parameters()}
    above = {parameter for part in (*live, *anatomy.head) for parameter in part.parameters()}
    if tied := [name for name, parameter in model.named_parameters() if parameter in below & above]:
        return f"{tied[0]} is shared by what is frozen and what is trained"
    return None


def difference(
    model: PreTrainedModel, anatomy: Anatomy, depth: int, tokens: Tokens, pad_id: int, reads: Reads
) -> str | None:
    """Runs a batch with and without stored states in float32; says what differs, None where nothing does.

    Logits and the gradients of what `depth` trains are compared. With whole rows the logits have to be
    equal bit for bit; one token a row is computed in other shapes, see TOLERANCE. Leaves the model frozen
    to `depth` (kernels depend on what needs a gradient) and in evaluation mode, for the sake of dropout.
    """
    set_depth(model, anatomy, depth, dropout=0.0)
    evaluation_mode(model)
    differs = _differs(model, anatomy, depth, tokens, pad_id, reads)
    if reads != "all":
        return f"what follows the last block reads more than the {reads} token of a row" if differs else None
    single = [_rows(tokens, np.array([i])) for i in range(len(tokens))]
    if differs and any(_differs(model, anatomy, depth, row, pad_id, reads) for row in single):
        return "what lies above takes more than hidden states from below"
    if differs or _padding_matters(model, anatomy, depth, tokens, single, pad_id):
        return "a row's states depend on how far its batch is padded"
    return None


def tokens_read(model: PreTrainedModel, anatomy: Anatomy, tokens: Tokens, pad_id: int) -> Reads:
    """Which token of each row what follows the last block reads, by the gradient of the logits.

    `tokens` are rows of different lengths; it takes these to tell the last token from others.
    """
    inputs = model_inputs(tokens, np.arange(len(tokens)), pad_id, model.device)
    boundary = len(anatomy.blocks)
    states = states_at(model, anatomy, [boundary], inputs)[boundary].requires_grad_()
    with injected(model, anatomy, boundary) as cached_output:
        cached_output.states = states
        logits = model(**inputs).logits
    # Uneven weights, because some heads make the plain sum of all logits a constant.
    weights = torch.linspace(1, 2, logits.numel(), device=logits.device).view_as(logits)
    (gradient,) = torch.autograd.grad((logits * weights).sum(), states)
    read = (gradient != 0).any(dim=-1).cpu().numpy()
    ends = tokens.lengths - 1
    choices: list[tuple[Reads, np.ndarray]] = [("first", np.zeros_like(ends))]
    if len(np.unique(ends)) > 1:  # else the last token is also the one at a fixed place
        choices.append(("last", ends))
    for reads, places in choices:
        alone = np.arange(read.shape[1]) == places[:, None]
        if read.shape[1] > 1 and (read == alone).all():
            return reads
    return "all"


def sample(tokens: Tokens, count: int = 6) -> Tokens:
    """A few rows that tell most: evenly spaced by length, from the shortest to the longest."""
    order = np.argsort(tokens.lengths, kind="stable")
    return _rows(tokens, order[np.unique(np.linspace(0, len(order) - 1, count).astype(int))])


def model_inputs(
    tokens: Tokens, rows: np.ndarray, pad_id: int, device: torch.device
) -> dict[str, torch.Tensor]:
    """What the model takes for `rows` of `tokens`, padded, on `device`."""
    batch = collate(tokens, rows, pad_id)
    return {name: tensor.to(device) for name, tensor in batch.items() if name != "labels"}


def _differs(
    model: PreTrainedModel, anatomy: Anatomy, depth: int, tokens: Tokens, pad_id: int, reads: Reads
) -> bool:
    try:
        return not _same(model, anatomy, depth, tokens, pad_id, reads)
    except Exception as error:  # an architecture may raise anything where it is cut
        _LOG.info("%s with stored states at depth %s: %r", type(model).__name__, depth, error)
        return True


def _same(
    model: PreTrainedModel, anatomy: Anatomy, depth: int, tokens: Tokens, pad_id: int, reads: Reads
) -> bool:
    rows, boundary = np.arange(len(tokens)), len(anatomy.blocks) - depth
    trained = list(trained_parameters(model, anatomy, depth).values())
    inputs = model_inputs(tokens, rows, pad_id, model.device)
    plain, gradients = logits_and_gradients(model, inputs, trained)
    states = states_at(model, anatomy, [boundary], inputs)[boundary]
    if states.shape[:2] != inputs["input_ids"].shape:
        return False
    kept = States(flattened(states, tokens.lengths, reads), reads, positions(tokens, reads))
    with injected(model, anatomy, boundary) as cached_output:
        cached_output.states = kept.of(rows, model.device)
        short = model_inputs(narrowed(tokens, reads), rows, pad_id, model.device)
        if reads != "all":
            del short["attention_mask"]  # as `vectors` gives them
        cached, cached_gradients = logits_and_gradients(model, short, trained)
    if reads == "all" and not torch.equal(plain, cached):
        return False
    return agree([(plain, cached), *zip(gradients, cached_gradients, strict=True)])


def _padding_matters(
    model: PreTrainedModel,
    anatomy: Anatomy,
    depth: int,
    tokens: Tokens,
    single: Sequence[Tokens],
    pad_id: int,
) -> bool:
    """Whether the rows' states at the boundary are others in a padded batch than each row's own."""
    boundary = len(anatomy.blocks) - depth

    def states(of: Tokens) -> torch.Tensor:
        inputs = model_inputs(of, np.arange(len(of)), pad_id, model.device)
        return states_at(model, anatomy, [boundary], inputs)[boundary]

    together = states(tokens)
    pairs = [(states(row)[0], together[i, : row.lengths[0]]) for i, row in enumerate(single)]
    return any(
        bool((alone - padded).abs().max() > PADDING_TOLERANCE * alone.abs().max()) for alone, padded in pairs
    )


def logits_and_gradients(
    model: PreTrainedModel, inputs: Inputs, trained: Sequence[nn.Parameter]
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Logits of `inputs`, and the gradients of their cross-entropy for `trained`; 0 where there is none.

    The labels are made up: all there are, in turn.
    """
    logits = model(**inputs).logits
    labels = torch.arange(len(logits), device=logits.device) % logits.shape[-1]
    loss = functional.cross_entropy(logits, labels)
    found = torch.autograd.grad(loss, trained, allow_unused=True)
    zero = torch.zeros(1, device=logits.device)
    return logits.detach(), [zero if gradient is None else gradient for gradient in found]


def agree(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> bool:
    """Whether two runs' tensors, logits first, are the same but for TOLERANCE.

    Measured against the largest number of each tensor, or a thousandth of the largest of all: some
    gradients, such as that of an attention key's bias, are 0 but for rounding.
    """
    if any(one.shape != other.shape for one, other in pairs):
        return False
    largest = [float(one.abs().max()) for one, _ in pairs]
    least = max(1e-3 * max(largest), 1e-6)
    return all(
        bool((one - other).abs().max() <= TOLERANCE * max(size, least))
        for (one, other), size in zip(pairs, largest, strict=True)
    )


def _rows(tokens: Tokens, rows: np.ndarray) -> Tokens:
    lengths = tokens.lengths[rows]
    places = np.concatenate([np.arange(tokens.offsets[row], tokens.offsets[row + 1]) for row in rows])
    return Tokens(
        ids=tokens.ids[places],
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        token_type_ids=None if tokens.token_type_ids is None else tokens.token_type_ids[places],
        labels=tokens.labels[rows],
    )
