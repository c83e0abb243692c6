"""What a trial works on, and the two things that are done with it: gradients and an evaluation."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from autoft.data.batch import Batch, Padding, pieces, to_longest
from autoft.data.encoded import taken
from autoft.data.targets import Targets
from autoft.kernel.batch_source import BatchSource
from autoft.kernel.blocks import Anatomy
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.device import Precision, autocast
from autoft.kernel.freeze import evaluation_mode
from autoft.kernel.graph_store import GraphStore
from autoft.kernel.memory import OutOfMemory, WorkingSizes, is_out_of_memory
from autoft.tasks.predictions import joined
from autoft.tasks.protocol import Outputs, Predictions, Task


@dataclass(frozen=True)
class TrialContext:
    """What one trial works on; the model is already frozen to the trial's depth."""

    model: PreTrainedModel
    anatomy: Anatomy
    forward: Callable[[Batch], Outputs]
    """From a batch to what the task reads, through what of the model has to run."""
    task: Task
    targets: Targets
    """What the task has learned of the target column."""
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
    """Names the rows, as they are encoded."""
    padding: Padding = to_longest
    """Of a batch that is trained on."""
    graphs: GraphStore | None = None
    """Where steps may be captured (`kernel.step`); None where they are eager."""

    def free_memory(self) -> bool:
        """Gives back to the device what only might be used again.

        Returns whether captured steps were among it. Then what did not fit is tried as it is once more:
        earlier trials took the room, and no result may depend on them.
        """
        held = self.graphs is not None and self.graphs.clear()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return held


def add_gradients(
    context: TrialContext,
    rows: np.ndarray,
    micro_batch: int,
    trained: Mapping[str, nn.Parameter],
    config: FineTuneConfig,
) -> torch.Tensor:
    """The gradients of one step, clipped; gives its loss, still on the device so that nothing waits for it.

    The batch is computed in pieces of at most `micro_batch` rows. The sum of each piece's losses is divided
    by the weight of the whole step, so their gradients add up to the whole's.
    """
    weight = step_weight(context, rows) if context.graphs is None else context.graphs.numbers.weight
    parts = _pieces(context, rows, micro_batch)
    batches = (context.train.batch(part, context.padding) for part in parts)
    return gradients_of(context, batches, weight, trained, config)


def step_weight(context: TrialContext, rows: np.ndarray) -> float:
    """What the losses of a batch are divided by."""
    targets = {name: taken(array, rows) for name, array in context.train.targets.items()}
    return context.task.weight(targets) or 1.0  # nothing counts, so the sum is 0


def gradients_of(
    context: TrialContext,
    batches: Iterable[Batch],
    weight: float | torch.Tensor,
    trained: Mapping[str, nn.Parameter],
    config: FineTuneConfig,
) -> torch.Tensor:
    """The gradients of the pieces of a step, which has that `weight`, and its loss; see `add_gradients`."""
    losses, numbers = [], {} if context.graphs is None else context.graphs.numbers.values
    values = {**config.task_values, **numbers}
    for batch in batches:
        with autocast(context.device, config.precision, cached=context.graphs is None):
            loss = context.task.loss(context.forward(batch), batch, values) / weight
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.detach())
    # A penalty on the weights would add its gradients here, once a step; one on the outputs, to `loss` above.
    if config.max_grad_norm > 0:
        nn.utils.clip_grad_norm_(list(trained.values()), config.max_grad_norm)
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
    while (found := _try_predictions(context, config.precision)) is None:
        if not context.free_memory() and not context.validation.halve_evaluation():
            raise OutOfMemory("out of memory in an evaluation, with one row at a time")
    order = np.concatenate(context.validation.evaluated)
    targets = {name: taken(array, order) for name, array in context.validation.targets.items()}
    found = context.task.decide(found, (found, targets), config.objective)
    metrics = context.task.score(found, targets, context.targets)
    return metrics, context.task.error(config.objective, found, targets)


@torch.no_grad()
def _try_predictions(context: TrialContext, precision: Precision) -> Predictions | None:
    """Of the validation rows, in the order of their batches; None where memory is short."""
    found = []
    try:
        for rows, inputs in context.validation.evaluation():
            batch = context.validation.with_states(inputs, rows)
            with autocast(context.device, precision):
                found.append(context.task.predict(context.forward(batch), batch, context.targets))
        return joined(found)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return None
