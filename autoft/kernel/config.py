"""One trial's fine-tuning, fully decided: no ranges, no None that means a default."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from autoft.spec.hyperparameters import Common
from autoft.spec.space import Value


@dataclass(frozen=True, kw_only=True)
class FineTuneConfig(Common):
    """Everything that decides a trial's result, and nothing else."""

    model: str
    """The reference from space.yaml."""
    measurements: int
    """Evaluations over the trial, evenly spaced, the last one at its end."""
    ends_at: float = 0.0
    """The share of its steps after which the trial ends, measured there alone; 0: it is whole."""
    objective: str
    """The metric whose best measurement is the trial's score."""
    precision: Literal["fp32", "bf16"]
    seed: int
    task_values: Mapping[str, Value]
    """The values of the task's own hyperparameters."""
