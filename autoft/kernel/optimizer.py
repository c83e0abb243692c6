"""The optimizer, and the learning-rate schedule."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from autoft.kernel.blocks import Anatomy
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.step_numbers import StepNumbers

Moments = dict[str, torch.Tensor]
"""AdamW's state of one parameter, by torch's names."""

MOMENTUM = 0.9
"""Nesterov's, of SGD."""


def build_optimizer(
    model: nn.Module, trained: Mapping[str, nn.Parameter], anatomy: Anatomy, config: FineTuneConfig
) -> torch.optim.Optimizer:
    """The trial's optimizer over the `trained` parameters (by name), with weight decay on matrices only.

    AdamW (arXiv 1711.05101), Adafactor (arXiv 1804.04235) or SGD with momentum.

    Each group of parameters has a `multiplier`: its share of the scheduled rate. With `layer_decay` d it is 1
    for the head, d for the top block, d^2 for the one below and so on, down to the embeddings and what blocks
    share (arXiv 2003.10555, appendix B).
    """
    described = _groups(model, trained, anatomy, config)
    match config.optimizer:
        case "adamw":
            optimizer = torch.optim.AdamW(described, lr=config.learning_rate, fused=True)
            _set_moments(optimizer, new_moments)
            return optimizer
        case "adafactor":
            return torch.optim.Adafactor(described, lr=config.learning_rate)
        case "sgd":
            return torch.optim.SGD(described, lr=config.learning_rate, momentum=MOMENTUM, nesterov=True)
        case other:
            raise ValueError(f"optimizer must be adamw, adafactor or sgd, got {other!r}")


class CapturableAdamW(torch.optim.AdamW):
    """AdamW whose rates and weight decay are tensors, so that its step can be captured as a CUDA graph.

    torch's own takes the decay as a number, which a graph would bake in. So it is left to this class: each
    matrix shrinks by rate times decay before its step, as in AdamW.
    """

    def __init__(
        self,
        model: nn.Module,
        trained: Mapping[str, nn.Parameter],
        anatomy: Anatomy,
        config: FineTuneConfig,
        numbers: StepNumbers,
        moments: Callable[[nn.Parameter], Moments],
    ) -> None:
        """As `build_optimizer`; `moments` gives the state of a parameter, in whose place the step works."""
        groups = _groups(model, trained, anatomy, config)
        self._numbers = numbers
        self._decayed = [group.pop("weight_decay") > 0 for group in groups]
        for group, rate in zip(groups, numbers.rates, strict=False):
            group["lr"] = rate
        super().__init__(groups, weight_decay=0.0, fused=True, capturable=True)
        _set_moments(self, moments)

    @property
    def shape(self) -> tuple[tuple[bool, int], ...]:
        """What of the groups a captured step bakes in."""
        return tuple(
            (decayed, len(group["params"]))
            for decayed, group in zip(self._decayed, self.param_groups, strict=True)
        )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # without a closure
        """One step, by the `StepNumbers` as they are filled."""
        for decayed, group in zip(self._decayed, self.param_groups, strict=True):
            if decayed:
                kept = 1 - group["lr"] * self._numbers.weight_decay
                for parameter in group["params"]:
                    parameter.mul_(kept)
        super().step()


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Each group's share of the scheduled `rate` for the next step."""
    for group, share in zip(optimizer.param_groups, rates(optimizer, rate), strict=True):
        group["lr"] = share


def rates(optimizer: torch.optim.Optimizer, rate: float) -> list[float]:
    """Each group's share of the scheduled `rate`."""
    return [rate * group["multiplier"] for group in optimizer.param_groups]


def _groups(
    model: nn.Module, trained: Mapping[str, nn.Parameter], anatomy: Anatomy, config: FineTuneConfig
) -> list[dict[str, Any]]:
    no_decay, distance = set(_without_decay(model)), _distance_from_head(anatomy)
    lowest = len(anatomy.blocks) + 1
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for decayed in (True, False):
        for name, parameter in trained.items():
            if decayed == (parameter not in no_decay):
                multiplier = config.layer_decay ** distance.get(name, lowest)
                groups.setdefault((decayed, multiplier), []).append(parameter)
    return [
        {"params": params, "weight_decay": config.weight_decay if decayed else 0.0, "multiplier": multiplier}
        for (decayed, multiplier), params in groups.items()
    ]


def _set_moments(optimizer: torch.optim.AdamW, moments: Callable[[nn.Parameter], Moments]) -> None:
    # Made here: so a trial finds out before its first step whether the moments fit into memory.
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            optimizer.state[parameter] = moments(parameter)


def new_moments(parameter: nn.Parameter) -> Moments:
    """Of a parameter before its first step."""
    return {
        "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
        "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
        "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
    }


def _distance_from_head(anatomy: Anatomy) -> dict[str, int]:
    """By parameter: 0 in the head, 1 in the top block, 2 in the one below."""
    distance = dict.fromkeys(anatomy.head_parameters, 0)
    for below, names in enumerate(reversed(anatomy.block_parameters), start=1):
        distance |= dict.fromkeys(names, below)
    return distance


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
