"""What a model answers to rows: of a trial, or of a fine-tuned model by itself."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch.nn import functional

from autoft.data.batch import collate, evaluation_batches
from autoft.data.targets import Targets
from autoft.tasks.outputs import outputs_of
from autoft.tasks.protocol import Answered, Task, Values

BATCH_TOKENS = 512
"""Of a forward pass, padding and all."""


def joined(found: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, np.ndarray]:
    """The predictions of several batches, in their order; narrower rows are filled up with zeros."""
    return {name: torch.cat(_of_one_width([each[name] for each in found])).cpu().numpy() for name in found[0]}


def _of_one_width(parts: list[torch.Tensor]) -> list[torch.Tensor]:
    if parts[0].ndim < 2:
        return parts
    width = max(part.shape[1] for part in parts)
    return [functional.pad(part, (*[0, 0] * (part.ndim - 2), 0, width - part.shape[1])) for part in parts]


@torch.no_grad()
def predictions(
    task: Task,
    model: Any,
    processor: Any,
    rows: pa.Table,
    targets: Targets,
    values: Values,
    order: Sequence[int] | None = None,
) -> Answered:
    """What a model answers to `rows` (of rows.arrow), in their order, and the rows as it took them.

    The model is used as it stands on its device, in evaluation mode.

    Args:
        task: the task that it was trained for.
        model: the fine-tuned model.
        processor: its tokenizer.
        rows: with a column `target` that belongs to `targets`.
        targets: how the answers are meant.
        values: the hyperparameters by which rows are encoded.
        order: for each label of `targets` its number in the model, where it has the labels in another order.
    """
    model.eval()
    encoded = task.encode(rows, processor, targets, values)
    found, batches = [], evaluation_batches(encoded.lengths, BATCH_TOKENS)
    for chosen in batches:
        batch = collate(encoded, chosen).to(model.device)
        outputs = outputs_of(task, model, batch.inputs)
        if order is not None:
            outputs = {name: each[..., order] for name, each in outputs.items()}
        found.append(task.predict(outputs, batch, targets))
    back = np.argsort(np.concatenate(batches))
    return {name: array[back] for name, array in joined(found).items()}, encoded
