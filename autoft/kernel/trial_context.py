"""What a trial works on, and the two things that are done with it: an update and an evaluation."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from autoft.data.batch import pieces
from autoft.kernel.batch_source import Batch, BatchSource
from autoft.kernel.blocks import Anatomy
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.device import Precision, autocast
from autoft.kernel.freeze import evaluation_mode
from autoft.kernel.memory import OutOfMemory, WorkingSizes, is_out_of_memory
from autoft.kernel.tasks.text_classification import TextClassification


@dataclass(frozen=True)
class TrialContext:
    """What one trial works on; the model is already frozen to the trial's depth."""

    model: PreTrainedModel
    anatomy: Anatomy
    forward: Callable[[Batch], torch.Tensor]
    """From a batch to logits [n, classes], through what of the model has to run."""
    task: TextClassification
    train: BatchSource
    validation: BatchSource
    device: torch.device
    checkpointed: Callable[[], Mapping[str, torch.Tensor]]
    """Gives the tensors, by name, that together with the pretrained weights are this trial's model."""
    piece_tokens: float
    """What a further piece of a batch costs (`data.batch.pieces`); infinite where a batch is one whole."""
    sizes: WorkingSizes
    """What fitted into memory before."""
    rows_key: str
    """Names the rows, as they are tokenized."""


def update(
    context: TrialContext,
    rows: np.ndarray,
    micro_batch: int,
    optimizer: torch.optim.Optimizer,
    trained: Mapping[str, nn.Parameter],
    config: FineTuneConfig,
) -> torch.Tensor:
    """One optimizer step; gives the loss, still on the device so that nothing waits for it.

    The batch is computed in pieces of at most `micro_batch` rows, whose gradients add up to the whole's.
    """
    losses = []
    for part in _pieces(context, rows, micro_batch):
        batch = context.train.batch(part)
        with autocast(context.device, config.precision):
            logits = context.forward(batch)
            loss = context.task.loss(logits, batch["labels"], config.label_smoothing)
            if len(part) < len(rows):
                loss = loss * (len(part) / len(rows))  # each row counts the same
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.detach())
    if config.max_grad_norm > 0:
        nn.utils.clip_grad_norm_(list(trained.values()), config.max_grad_norm)
    optimizer.step()
    for parameter in trained.values():
        parameter.grad = None
    return losses[0] if len(losses) == 1 else torch.stack(losses).sum()


def largest_piece(context: TrialContext, rows: np.ndarray, micro_batch: int) -> int:
    """How many of a batch's `rows` are computed at once."""
    return max(len(part) for part in _pieces(context, rows, micro_batch))


def _pieces(context: TrialContext, rows: np.ndarray, micro_batch: int) -> Iterator[np.ndarray]:
    for places in pieces(context.train.padded_lengths[rows], context.piece_tokens):
        for start in range(0, len(places), micro_batch):
            yield rows[places[start : start + micro_batch]]


def evaluate(context: TrialContext, config: FineTuneConfig) -> tuple[dict[str, float], float | None]:
    """Every metric of the task on the validation split, and the objective's standard error.

    Leaves the model in evaluation mode.
    """
    evaluation_mode(context.model)
    while (outputs := _try_logits(context, config.precision)) is None:
        if context.device.type == "cuda":
            torch.cuda.empty_cache()
        if not context.validation.halve_evaluation():
            raise OutOfMemory("out of memory in an evaluation, with one row at a time")
    order = np.concatenate([rows for rows, _ in context.validation.evaluation()])
    logits, labels = torch.cat(outputs).cpu().numpy(), context.validation.labels[order]
    return context.task.metrics(logits, labels), context.task.error(config.objective, logits, labels)


@torch.no_grad()
def _try_logits(context: TrialContext, precision: Precision) -> list[torch.Tensor] | None:
    """The logits of each batch of the validation split; None where memory is short."""
    outputs = []
    try:
        for rows, inputs in context.validation.evaluation():
            batch = context.validation.with_states(inputs, rows)
            with autocast(context.device, precision):
                outputs.append(context.forward(batch).float())
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return None
    return outputs
