"""What a task reads of a model's answer. Nothing else knows the names of its fields."""

from collections.abc import Mapping
from typing import Any

import torch

from autoft.errors import ModelError
from autoft.tasks.protocol import Outputs, Task

LOGITS = "logits"
"""What transformers calls the numbers of a head for labels."""


def outputs_of(task: Task, model: Any, inputs: Mapping[str, torch.Tensor]) -> Outputs:
    """One forward pass: of what `model` gives for `inputs` the fields that the task reads.

    Raises:
        ModelError: it gives no such field.
    """
    answer = model(**inputs)
    if not isinstance(answer, Mapping):
        raise ModelError(
            f"{type(model).__name__} answers without names, because its config.json has return_dict: false; "
            "remove that line"
        )
    if absent := [name for name in task.output_fields if name not in answer]:
        raise ModelError(
            f"{type(model).__name__} gives {', '.join(answer)}, but {task.spec.name} reads {absent[0]}; "
            "choose another model"
        )
    return {name: answer[name] for name in task.output_fields}
