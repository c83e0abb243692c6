"""The fixed configurations of a workload, drawn once, before any side runs."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autoft.study.trial_config import trial_seed
from bench.workloads import (
    DROPOUT,
    LEARNING_RATE,
    WEIGHT_DECAY,
    Configuration,
    Depth,
    Job,
    Range,
    Workload,
)


def make_job(workload: Workload, rows: Path, model: Path, seed: int, **more: Any) -> Job:
    """The workload's trials under one seed; another seed changes nothing but the trials' own seeds.

    `more` is what else the `Job` is told.
    """
    configurations = draw_configurations(workload.depths, workload.trials, seed)
    return Job(rows, model, configurations, workload.epochs, seed, **more)


def draw_configurations(depths: Sequence[Depth], trials: int, seed: int) -> tuple[Configuration, ...]:
    """`trials` configurations; the learning rates of each depth cover their range evenly.

    Each depth divides the range into as many strata as it has trials, in a random order.
    """
    drawn = np.random.default_rng(20)  # of the benchmark itself: `seed` is the trials'
    per_depth = math.ceil(trials / len(depths))
    strata = {depth: drawn.permutation(per_depth) for depth in depths}
    configurations = []
    for number in range(trials):
        turn, depth = number // len(depths), depths[number % len(depths)]
        place = (strata[depth][turn] + drawn.random()) / per_depth
        configurations.append(
            Configuration(
                learning_rate=_log_between(LEARNING_RATE, place),
                weight_decay=_log_between(WEIGHT_DECAY, drawn.random()),
                dropout=float(DROPOUT[0] + (DROPOUT[1] - DROPOUT[0]) * drawn.random()),
                unfreeze_depth=depth,
                seed=trial_seed(seed, number),
            )
        )
    return tuple(configurations)


def _log_between(ends: Range, place: float) -> float:
    low, high = math.log(ends[0]), math.log(ends[1])
    return math.exp(low + (high - low) * place)
