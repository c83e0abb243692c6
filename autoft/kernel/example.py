"""A few rows as a model takes them: what its blocks are found on, before anything is trained."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from autoft.data.batch import collate
from autoft.data.targets import Targets
from autoft.errors import ModelError
from autoft.tasks.protocol import Task, Values

ROWS = 2
"""More of them would show the same modules in the same order."""
TEXT = "A short text."


def encoded_example(
    rows: pa.Table, processor: Any, targets: Targets, task: Task, values: Values, token_limit: int | None
) -> Mapping[str, torch.Tensor]:
    """The first of the study's rows, encoded and collated as for a trial.

    Args:
        rows: with the columns of rows.arrow, at least one.
        processor: the model's.
        targets: what the task has learned of the target column.
        task: the study's.
        values: of the task's own hyperparameters.
        token_limit: of the model; longer rows are cut. None where there is none.

    Returns:
        By the name of the model's argument, [b, ...] each, on the CPU.
    """
    max_length = task.spec.max_length(values)
    if max_length is not None and token_limit is not None:
        values = task.spec.cut_at(values, min(max_length, token_limit))
    encoded = task.encode(rows.slice(0, ROWS), processor, targets, values)
    return collate(encoded, np.arange(len(encoded))).inputs


def text_example(processor: Any) -> Mapping[str, torch.Tensor]:
    """A short text, for a model without rows; as `encoded_example`.

    Raises:
        ModelError: the processor takes no text.
    """
    try:
        return dict(processor([TEXT], return_tensors="pt"))
    except Exception as error:  # whatever a processor of images or sounds makes of a text
        raise ModelError(
            f"{type(processor).__name__} takes no text, so its model is examined on rows: {error!r}"
        ) from error
