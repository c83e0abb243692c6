"""The numbers of a step as tensors, so that a step that was captured once can be replayed with others."""

from collections.abc import Mapping, Sequence

import torch

from autoft.data.batch import sent
from autoft.spec.space import Value


class StepNumbers:
    """Float32 scalars on a device, that one copy fills; their addresses stay."""

    def __init__(self, device: torch.device, groups: int, own: Sequence[str]) -> None:
        """For so many groups of parameters, and the hyperparameters `own` of the task."""
        self._all = torch.zeros(groups + 2 + len(own), device=device)
        self.rates = self._all[:groups].unbind()
        """Each group's learning rate."""
        self.weight_decay, self.weight, *values = self._all[groups:].unbind()
        self.values: Mapping[str, torch.Tensor] = dict(zip(own, values, strict=True))

    def fill(
        self, rates: Sequence[float], weight_decay: float, weight: float, values: Mapping[str, Value]
    ) -> None:
        """Those of the next step.

        Args:
            rates: of the first so many groups.
            weight_decay: of the trial.
            weight: what the sum of the step's losses is divided by.
            values: of the task's hyperparameters, at least those of `own`.
        """
        own = [float(values[name]) for name in self.values]
        rest = [0.0] * (len(self.rates) - len(rates))
        self._all.copy_(sent(torch.tensor([*rates, *rest, weight_decay, weight, *own]), self._all.device))
