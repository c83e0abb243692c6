"""One trial's fine-tuning, fully decided: no ranges, no None that means a default."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from autoft.spec.space import Value

Depth = int | Literal["all"]


@dataclass(frozen=True)
class FineTuneConfig:
    """Everything that decides a trial's result, and nothing else."""

    model: str
    """The reference from space.yaml."""
    optimizer: str
    """`adamw`, `adafactor` or `sgd`."""
    learning_rate: float
    """Peak of the schedule, for the head."""
    layer_decay: float
    """Each block's rate over that of the block above it; 1 gives all the same."""
    weight_decay: float
    """Decoupled in AdamW and Adafactor; not on biases and norms."""
    dropout: float
    """Probability, in trained blocks and head only."""
    unfreeze_depth: Depth
    """Trained top blocks; 0 trains the head, `all` everything with the embeddings."""
    batch_size: int
    """Rows a step."""
    batching: str
    """Which rows make a batch: `random`, or `by_length` (groups of rows of like length)."""
    epochs: int
    """Passes over the training rows; the schedule spans them all, also where the trial ends before."""
    early_stopping: float
    """Epochs without a better objective after which the trial ends; 0 never ends it early."""
    warmup_ratio: float
    """Share of the trial's steps over which the learning rate rises from 0."""
    lr_schedule: str
    """`linear`, `cosine` or `constant`, spanning the whole trial."""
    max_grad_norm: float
    """The gradient's L2 norm is clipped to this; 0 does not clip."""
    measurements: int
    """Evaluations over the trial, evenly spaced, the last one at its end."""
    objective: str
    """The metric whose best measurement is the trial's score."""
    precision: Literal["fp32", "bf16"]
    seed: int
    task_values: Mapping[str, Value]
    """The values of the task's own hyperparameters."""
