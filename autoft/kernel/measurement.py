"""What a fine-tuning says of itself while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measurement:
    """One evaluation on the validation split."""

    index: int
    """1-based, without gaps."""
    fraction: float
    """Of the trial's own budget that is spent, in (0, 1]."""
    step: int
    """Optimizer updates so far."""
    epoch: float
    """Passes over the training rows so far."""
    metrics: Mapping[str, float]
    """Every metric of the task on the validation split, and `train_loss` since the last measurement."""
    elapsed_s: float
    """Since the trial began, evaluation included."""
    checkpoint: Path | None = None
    """Of this moment where it is the trial's best so far, else None."""
    micro_batch: int | None = None
    """Rows of one forward pass, where memory was too short for the batch; None: the whole batch."""
    training_s: float = 0.0
    """What the steps since the last measurement took, and nothing else."""
    evaluation_s: float = 0.0
    """What this evaluation took."""
    error: float | None = None
    """The objective's standard error, as the validation rows are a sample (`Task.error`); None: unknown."""
    last: bool = False
    """Whether the trial ends with it: its budget is spent, or early stopping ends it before."""
