"""Where stored states may stand for a frozen prefix, and the reason in words where they may not.

An augmentation that changes rows at random below the boundary would be another reason; no task has one yet.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from autoft.data.batch import Batch, collate
from autoft.data.encoded import Encoded, Ragged
from autoft.kernel.blocks import Anatomy, trained_parameters
from autoft.kernel.boundary.inject import cut_states, cuts, injected, states_at
from autoft.kernel.boundary.plan import VECTORS, Cut, Layout
from autoft.kernel.boundary.states import States, above, kept, positions
from autoft.kernel.freeze import evaluation_mode, set_depth
from autoft.spec.hyperparameters import Depth
from autoft.tasks.outputs import outputs_of
from autoft.tasks.protocol import Task, Values

_LOG = logging.getLogger(__name__)
Reads = Literal["all", "first", "last", "mean"]
"""What of a row's states is read above a boundary: each token's, one token's, or their mean."""
TOLERANCE = 1e-5
"""Of the largest number compared. Other shapes, and sums of gradients, change the last bits of float32
(6e-8); a token that is missing or read in vain changes far more."""

PADDING_TOLERANCE = 1e-4
"""Of the rows' largest number. Sums of masked tokens change its last bits, block after block; an architecture
that mixes padding in (FNet, ConvBERT) changes its hundredths."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A few rows of the study, on which a model is examined."""

    encoded: Encoded
    task: Task
    values: Values
    """Of the task's own hyperparameters, for its loss."""

    @staticmethod
    def of(encoded: Encoded, among: np.ndarray, task: Task, values: Values, count: int = 6) -> "Sample":
        """Of the rows `among` [n] those that tell most: evenly spaced by length, from shortest to longest."""
        order = among[np.argsort(encoded.lengths[among], kind="stable")]
        rows = order[np.unique(np.linspace(0, len(order) - 1, count).astype(int))]
        return Sample(encoded.take(rows), task, values)

    def __len__(self) -> int:
        return len(self.encoded)

    def batch(self, device: torch.device) -> Batch:
        """All of them."""
        return collate(self.encoded, np.arange(len(self))).to(device)

    def single(self) -> list["Sample"]:
        """Each row by itself."""
        return [replace(self, encoded=self.encoded.take(np.array([row]))) for row in range(len(self))]


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
    if not cuts(anatomy, depth):
        return "all frozen blocks have to run, because a trained one takes more than states from the last"
    below = {parameter for block in frozen for parameter in block.parameters()}
    above = {parameter for part in (*live, *anatomy.head) for parameter in part.parameters()}
    if tied := [name for name, parameter in model.named_parameters() if parameter in below & above]:
        return f"{tied[0]} is shared by what is frozen and what is trained"
    return None


def difference(
    model: PreTrainedModel,
    anatomy: Anatomy,
    depth: int,
    sample: Sample,
    reads: Reads,
    cut: Cut | None = None,
) -> str | None:
    """Runs a batch with and without stored states in float32; says what differs, None where nothing does.

    Outputs and the gradients of what `depth` trains are compared. With whole rows the outputs have to be
    equal bit for bit; one vector a row is computed in other shapes, see TOLERANCE. Leaves the model frozen
    to `depth` (kernels depend on what needs a gradient) and in evaluation mode, for the sake of dropout.

    Args:
        model: changed as said.
        anatomy: the model's.
        depth: whose trained blocks lie above.
        sample: on which it is tried.
        reads: what is stored of each row.
        cut: one of `cuts`; None takes the first.
    """
    set_depth(model, anatomy, depth, dropout=0.0)
    evaluation_mode(model)
    cut = cut or cuts(anatomy, depth)[0]
    if reads != "all":
        what = f"the {reads} of a row" if reads == "mean" else f"the {reads} token of a row"
        differs = _differs(model, anatomy, depth, sample, cut, reads)
        return f"what follows the last block reads more than {what}" if differs else None
    layout = row_layout(model, anatomy, sample, cut)
    if layout is None:
        return "a row's states are neither one for each of its tokens nor of one shape for all rows"
    single = sample.single()
    differs = _differs(model, anatomy, depth, sample, cut, layout)
    if differs and any(_differs(model, anatomy, depth, row, cut, layout) for row in single):
        return "what lies above takes more than hidden states from below"
    if differs or _batch_matters(model, anatomy, sample, single, cut):
        other = "how far its batch is padded" if layout == "ragged" else "the rows of its batch"
        return f"a row's states depend on {other}"
    return None


def row_layout(model: PreTrainedModel, anatomy: Anatomy, sample: Sample, cut: Cut) -> Layout | None:
    """How whole rows can be kept at `cut`: `ragged` or `fixed`; None where their states follow another rule.

    Rows of one length do not tell whether all rows have states of one shape, unless all inputs have.
    """
    try:
        shapes = [_states(model, anatomy, row, cut).shape[1:] for row in sample.single()]
    except Exception as error:  # an architecture may raise anything on a row alone
        _LOG.info("%s cut at %s: %r", type(model).__name__, cut, error)
        return None
    lengths = sample.encoded.lengths.tolist()
    ragged = any(isinstance(array, Ragged) for array in sample.encoded.inputs.values())
    if ragged and [(length,) for length in lengths] == [shape[:-1] for shape in shapes]:
        return "ragged"
    tells = not ragged or len(set(lengths)) > 1
    return "fixed" if tells and len(set(shapes)) == 1 else None


def tokens_read(model: PreTrainedModel, anatomy: Anatomy, sample: Sample) -> Reads:
    """What of each row's states what follows the last block reads, by the gradient of the outputs.

    One that is the same for every token, or for every place of a feature map, is that of their mean.

    `sample` has rows of different lengths; it takes these to tell the last token from others. Rows of one
    shape have no last token.
    """
    inputs = sample.batch(model.device).inputs
    boundary = len(anatomy.blocks)
    states = states_at(model, anatomy, [boundary], inputs)[boundary].requires_grad_()
    with injected(model, anatomy, boundary) as cached_output:
        cached_output.states = states
        outputs = torch.cat([each.flatten() for each in outputs_of(sample.task, model, inputs).values()])
    # Uneven weights, because some heads make the plain sum of all logits a constant.
    weights = torch.linspace(1, 2, len(outputs), device=outputs.device)
    (gradient,) = torch.autograd.grad((outputs * weights).sum(), states)
    ends = sample.encoded.lengths - 1
    if _is_of_mean(gradient, ends + 1):
        return "mean"
    if gradient.ndim != 3:
        return "all"
    read = (gradient != 0).any(dim=-1).cpu().numpy()
    choices: list[tuple[Reads, np.ndarray]] = [("first", np.zeros_like(ends))]
    if len(np.unique(ends)) > 1:  # else the last token is also the one at a fixed place
        choices.append(("last", ends))
    for reads, places in choices:
        alone = np.arange(read.shape[1]) == places[:, None]
        if read.shape[1] > 1 and (read == alone).all():
            return reads
    return "all"


def _is_of_mean(gradient: torch.Tensor, lengths: np.ndarray) -> bool:
    """Whether the gradient of each row's mean, in place of its states, says all: [b, ...]."""
    if gradient.ndim == 4:
        return _alike(gradient.flatten(2).mT)
    if gradient.ndim != 3 or gradient.shape[1] == 1:
        return False
    if gradient.shape[1] != lengths.max():
        return _alike(gradient)
    return all(_alike(row[:length]) for row, length in zip(gradient, lengths, strict=True))


def _alike(gradient: torch.Tensor) -> bool:
    """Whether it is the same, but for rounding, for all tokens: [..., tokens, hidden]."""
    spread = (gradient - gradient[..., :1, :]).abs().max()
    return bool(spread <= TOLERANCE * gradient.abs().max())


def _states(model: PreTrainedModel, anatomy: Anatomy, sample: Sample, cut: Cut) -> torch.Tensor:
    """What is stored of the sample at `cut`, as the rows' batch has it."""
    return cut_states(states_at(model, anatomy, cut, sample.batch(model.device).inputs), cut)


def _differs(
    model: PreTrainedModel, anatomy: Anatomy, depth: int, sample: Sample, cut: Cut, layout: Layout
) -> bool:
    try:
        return not _same(model, anatomy, depth, sample, cut, layout)
    except Exception as error:  # an architecture may raise anything where it is cut
        _LOG.info("%s with stored states at depth %s: %r", type(model).__name__, depth, error)
        return True


def _same(
    model: PreTrainedModel, anatomy: Anatomy, depth: int, sample: Sample, cut: Cut, layout: Layout
) -> bool:
    lengths = sample.encoded.lengths
    trained = list(trained_parameters(model, anatomy, depth).values())
    batch = sample.batch(model.device)
    plain, gradients = outputs_and_gradients(model, sample, batch, trained)
    flat = kept(_states(model, anatomy, sample, cut), lengths, layout)
    stored = States(flat, layout, positions(lengths, layout), model.main_input_name)
    with injected(model, anatomy, *cut) as cached_output:
        cached_output.states = stored.of(np.arange(len(sample)), model.device)
        short = above(sample.encoded, stored, model.device)
        cached, cached_gradients = outputs_and_gradients(model, sample, short, trained)
    if layout not in VECTORS and not equal(plain, cached):
        return False
    return agree([*plain, *gradients], [*cached, *cached_gradients])


def _batch_matters(
    model: PreTrainedModel, anatomy: Anatomy, sample: Sample, single: Sequence[Sample], cut: Cut
) -> bool:
    """Whether the rows' states are others in a batch, padded to its longest row, than each row's own."""
    own = [_states(model, anatomy, row, cut)[0] for row in single]
    return _apart(own, _states(model, anatomy, sample, cut))


def padding_matters(model: PreTrainedModel, sample: Sample) -> bool:
    """Whether what the task reads of a row is another in a batch, padded to its longest row, than alone.

    Leaves the model in evaluation mode.
    """
    evaluation_mode(model)

    def outputs(rows: Sample) -> list[torch.Tensor]:
        with torch.no_grad():
            return list(outputs_of(sample.task, model, rows.batch(model.device).inputs).values())

    try:
        own = [[each[0] for each in outputs(row)] for row in sample.single()]
        return any(map(_apart, zip(*own, strict=True), outputs(sample)))
    except Exception as error:  # an architecture may raise anything on a row alone
        _LOG.info("%s on a row alone: %r", type(model).__name__, error)
        return False


def _apart(alone: Sequence[torch.Tensor], together: torch.Tensor) -> bool:
    """Whether rows alone, [...] each, are others than in their batch [b, ...] without its padding."""
    least = PADDING_TOLERANCE * max(float(each.abs().max()) for each in alone)
    return any(
        bool((each - padded[: len(each)]).abs().max() > least)
        for each, padded in zip(alone, together, strict=True)
    )


def outputs_and_gradients(
    model: PreTrainedModel, sample: Sample, batch: Batch, trained: Sequence[nn.Parameter]
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Outputs of a `batch` of the sample, and the gradients of its mean loss for `trained`; 0 where none.

    Of outputs those numbers are 0 that have no gradient, such as those of the padding where there are some
    for each token: nothing reads them. An output that the loss does not take is there as it is.
    """
    outputs = outputs_of(sample.task, model, batch.inputs)
    weight = sample.task.weight(sample.encoded.targets) or 1.0
    loss = sample.task.loss(outputs, batch, sample.values) / weight
    found = torch.autograd.grad(loss, [*outputs.values(), *trained], allow_unused=True)
    of_outputs, of_trained = found[: len(outputs)], found[len(outputs) :]
    read = [
        output.detach() if gradient is None else output.detach().where(gradient != 0, 0.0)
        for output, gradient in zip(outputs.values(), of_outputs, strict=True)
    ]
    zero = torch.zeros(1, device=loss.device)
    return read, [zero if gradient is None else gradient for gradient in of_trained]


def equal(one: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> bool:
    """Whether two runs' tensors are the same bit for bit."""
    return all(map(torch.equal, one, other))


def agree(one: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> bool:
    """Whether two runs' tensors are the same but for TOLERANCE.

    Measured against the largest number of each tensor, or a thousandth of the largest of all: some
    gradients, such as that of an attention key's bias, are 0 but for rounding.
    """
    if any(mine.shape != others.shape for mine, others in zip(one, other, strict=True)):
        return False
    largest = [float(each.abs().max()) for each in one]
    least = max(1e-3 * max(largest), 1e-6)
    return all(
        bool((mine - others).abs().max() <= TOLERANCE * max(size, least))
        for mine, others, size in zip(one, other, largest, strict=True)
    )
