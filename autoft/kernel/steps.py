"""A trial's steps: how many there are, after which ones it is measured, and which rows each of them sees."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from autoft.data.batch import DRAWS
from autoft.kernel.config import FineTuneConfig


@dataclass(frozen=True)
class Plan:
    """A trial's steps, known before the first one."""

    steps_per_epoch: int
    steps: int
    measured_at: tuple[int, ...]
    """1-based steps after which there is a measurement; the last one is `steps`, or where the trial ends."""
    saved_at: frozenset[int]
    """Those after which its state is saved."""


def plan(train_rows: int, config: FineTuneConfig) -> Plan:
    """Measurements at steps ceil(k T / M), k = 1..M, where M is at most the number of steps T.

    Or one alone, at the share `config.ends_at` of T, which the schedule spans all the same.
    """
    steps_per_epoch = math.ceil(train_rows / config.batch_size)
    steps = steps_per_epoch * config.epochs
    count = min(config.measurements, steps)
    at = tuple(-(-k * steps // count) for k in range(1, count + 1))
    # Rounded, because a share such as 7 / 12 of the steps may be a little more than the whole number it is.
    measured = (math.ceil(round(config.ends_at * steps, 6)),) if config.ends_at else at
    return Plan(steps_per_epoch, steps, measured, frozenset(at))


def batches(lengths: np.ndarray, config: FineTuneConfig, done: int) -> Iterator[np.ndarray]:
    """The rows of every step after the first `done` ones."""
    draw = DRAWS[config.batching]
    epochs, skipped = divmod(done, math.ceil(len(lengths) / config.batch_size))
    for epoch in range(epochs, config.epochs):
        yield from draw(lengths, config.batch_size, config.seed, epoch)[skipped:]
        skipped = 0
