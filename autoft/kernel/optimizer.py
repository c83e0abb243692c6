"""AdamW (arXiv 1711.05101) and the learning-rate schedule."""

import math
from collections.abc import Mapping

import torch
from torch import nn

from autoft.kernel.config import FineTuneConfig


def build_optimizer(
    model: nn.Module, trained: Mapping[str, nn.Parameter], config: FineTuneConfig
) -> torch.optim.AdamW:
    """AdamW over the `trained` parameters (by name), with weight decay on matrices only."""
    no_decay = set(_without_decay(model))
    groups = [
        {
            "params": [parameter for parameter in trained.values() if parameter not in no_decay],
            "weight_decay": config.weight_decay,
        },
        {
            "params": [parameter for parameter in trained.values() if parameter in no_decay],
            "weight_decay": 0.0,
        },
    ]
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
    # Made here and not in the first step: a step that runs out of memory half-way could not be repeated.
    for parameter in trained.values():
        optimizer.state[parameter] = {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
            "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
        }
    return optimizer


def _without_decay(model: nn.Module) -> list[nn.Parameter]:
    """Biases, norms and other vectors, such as a layer's scale."""
    return [
        parameter
        for module in model.modules()
        for name, parameter in module.named_parameters(recurse=False)
        if parameter.ndim < 2 or name == "bias" or "norm" in type(module).__name__.lower()
    ]


def learning_rate(step: int, steps: int, config: FineTuneConfig) -> float:
    """The rate of optimizer step `step` (1-based) in a trial of `steps`, which is all of its steps.

    Linear warmup, then linear or cosine decay to 0, or constant. The rate is 0 before the first step, reaches
    its peak at the first step after the warmup, and would be 0 after the last step.
    """
    warmup_steps = round(config.warmup_ratio * steps)
    if step <= warmup_steps:
        return config.learning_rate * step / (warmup_steps + 1)
    done = (step - warmup_steps - 1) / (steps - warmup_steps)
    match config.lr_schedule:
        case "linear":
            share = 1 - done
        case "cosine":
            share = (1 + math.cos(math.pi * done)) / 2
        case "constant":
            share = 1.0
        case other:
            raise ValueError(f"lr_schedule must be linear, cosine or constant, got {other!r}")
    return config.learning_rate * share
