"""What every side of the benchmark is told: its workloads and the job that one of them becomes."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Depth = int | Literal["all"]
Range = tuple[float, float]

LEARNING_RATE: Range = (1e-5, 1e-3)
"""Log scale. Wide enough that configurations differ by more than seeds do."""
WEIGHT_DECAY: Range = (1e-4, 0.3)
"""Log scale."""
DROPOUT: Range = (0.0, 0.3)

WORKERS = {"cpu": 2, "cuda": 1}
"""Trials at a time on every side, by device: each on one thread, on a GPU with their share of it."""


@dataclass(frozen=True)
class Configuration:
    """One fine-tuning."""

    learning_rate: float
    weight_decay: float
    dropout: float
    """In the trained blocks and the head only, as autoft means it."""
    unfreeze_depth: Depth
    seed: int
    """The one that autoft derives for the trial of this number; the other sides are handed it."""


@dataclass(frozen=True)
class Workload:
    """A list of trials and how long each one is."""

    name: str
    depths: tuple[Depth, ...]
    """Taken in turns. Long ones first, so that no side waits long for its last trial."""
    trials: int
    epochs: int = 4
    rows: int | None = None
    """Training rows, and validation rows; None is all there are."""
    gated: bool = True
    """Whether its results mean enough to be compared."""


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("mixed", ("all", 4, 2, 1, 0), trials=25),
        Workload("deep", ("all",), trials=8),
        Workload("shallow", (1, 0), trials=20),
        Workload("tiny", (0,), trials=200, epochs=1, rows=16, gated=False),
    )
}


@dataclass(frozen=True)
class Job:
    """Everything that a side is told. Picklable: it goes to a process of its own."""

    rows: Path
    """Folder with train.csv and validation.csv, each with the columns text and label."""
    model: Path
    """Folder of the pretrained model: a BERT, which the peers take apart by name."""
    configurations: tuple[Configuration, ...]
    epochs: int
    seed: int
    """The study's; those of the configurations are derived from it."""
    batch_size: int = 32
    warmup_ratio: float = 0.1
    max_length: int = 128
    max_grad_norm: float = 1.0
    alike: bool = False
    """For the gate: handwritten takes autoft's own batches, in its order."""
    device: Literal["cpu", "cuda"] = "cpu"

    @property
    def workers(self) -> int:
        """Trials at a time."""
        return WORKERS[self.device]

    @property
    def resources(self) -> dict[str, float]:
        """What Ray gives a trial."""
        return {"cpu": 1, **({"gpu": 1 / self.workers} if self.device == "cuda" else {})}

    def steps(self, train_rows: int) -> int:
        """Updates of a trial."""
        return self.epochs * math.ceil(train_rows / self.batch_size)

    def warmup_steps(self, train_rows: int) -> int:
        """Updates over which the learning rate rises."""
        return round(self.warmup_ratio * self.steps(train_rows))
