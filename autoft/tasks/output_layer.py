"""The layer that gives a model's answer."""

from typing import Any

from torch import nn


def output_layer(model: Any, outputs: int) -> nn.Linear | None:
    """The head's last linear layer with so many outputs; None where it has none.

    The head is what lies outside of the base model (`PreTrainedModel.base_model`).
    """
    base = set() if model.base_model is model else set(model.base_model.modules())
    head = [each for each in model.modules() if isinstance(each, nn.Linear) and each not in base]
    return next((each for each in reversed(head) if each.out_features == outputs), None)
