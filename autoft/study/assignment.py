"""What a worker is given to do. Apart from the Tuner, because a worker needs no Optuna."""

from dataclasses import dataclass

from autoft.kernel.config import FineTuneConfig


@dataclass(frozen=True)
class Assignment:
    """A trial for a worker."""

    number: int
    attempt: int
    """1, or more where a trial was interrupted; reports carry it."""
    measured: int
    """Measurements of earlier attempts that stand."""
    config: FineTuneConfig
    micro_batch: int | None = None
    """At most so many rows at a time, where the worker died more than once."""
