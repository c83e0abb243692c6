"""What a worker is given to do. Apart from the Tuner, because a worker needs no Optuna."""

from dataclasses import dataclass

from autoft.kernel.config import FineTuneConfig


@dataclass(frozen=True)
class Assignment:
    """A trial for a worker."""

    number: int
    attempt: int
    """1, or more if the trial was interrupted; reports carry it."""
    measured: int
    """Number of measurements that earlier attempts have stored."""
    config: FineTuneConfig
    micro_batch: int | None = None
    """The most rows to compute at a time, if the worker died more than once; else None."""
