"""What a finished model answers to rows: one from the registry, or one that is about to go there."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from autoft.data.targets import Targets
from autoft.kernel.device import choose_device
from autoft.spec.space import Value
from autoft.tasks.predictions import predictions
from autoft.tasks.protocol import Scorable, Task
from autoft.tracking.processors import processor_of
from autoft.tracking.saving import FineTuned


def answers_of(
    task: Task, finished: Any, rows: pa.Table, targets: Targets, values: Mapping[str, Value]
) -> Scorable:
    """What it predicts for the rows, its labels in the order of `targets`; on the GPU if there is one.

    Args:
        task: what it was trained for.
        finished: a `FineTuned`, or a pipeline from the registry, with the labels of `targets` in any order.
        rows: of rows.arrow.
        targets: of the study to which the rows belong.
        values: the task's own hyperparameters, by which rows are encoded.
    """
    model = finished.model.to(choose_device())
    processor = finished.processor if isinstance(finished, FineTuned) else processor_of(finished)
    order = [model.config.label2id[label] for label in label_names(task, targets)] or None
    predicted, encoded = predictions(
        task, model, processor, rows, task.finished(targets, model), values, order
    )
    return predicted, encoded.targets


def label_names(task: Task, targets: Targets) -> list[str]:
    """The names of a model's outputs; none where the task names none."""
    return list(task.config_values(targets).get("label2id", ()))
