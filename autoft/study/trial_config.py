"""From a trial's parameters to a fully decided fine-tuning."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Literal

from autoft.kernel.config import FineTuneConfig
from autoft.spec.hyperparameters import COMMON
from autoft.spec.space import Value
from autoft.spec.study import SearchMethod, StudySpec
from autoft.spec.tasks import TASKS

MEASUREMENTS = 12
"""Evaluations of a trial unless `evaluations_per_epoch` is given: a score is the best of them."""


def trial_seed(study_seed: int, number: int) -> int:
    """The seed of trial `number`, 31 bits: the same in every session, and unrelated to its neighbors'."""
    digest = blake2b(f"{study_seed}:{number}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") & 0x7FFF_FFFF


def measurements_of(method: SearchMethod, epochs: int) -> int:
    """How many evaluations a trial of `epochs` passes over the training rows gets."""
    if method.evaluations_per_epoch is None:
        return MEASUREMENTS
    return max(1, round(method.evaluations_per_epoch * epochs))


def report_steps_of(spec: StudySpec) -> int:
    """Measurements of the longest trial: the resource of the pruners.

    A shorter trial's measurements are placed on the same grid by the fraction of its own budget that is
    spent, so that pruning compares equal fractions.
    """
    return measurements_of(spec.search, int(spec.space.ends("epochs")[1]))


def report_step(fraction: float, grid: int) -> int:
    """Where a measurement at `fraction` of its trial's budget lies on the grid, 1 to `grid`."""
    return max(1, round(fraction * grid))


def fine_tune_config(
    spec: StudySpec,
    values: Mapping[str, Value],
    seed: int,
    precision: Literal["fp32", "bf16"],
    ends_at: float = 0.0,
) -> FineTuneConfig:
    """The configuration of a trial whose resolved values are `values`.

    A number that space.yaml writes as `0` or `1e-5` becomes of the type that the hyperparameter has.
    """
    values = {**spec.space.defaults, **values}  # a trial of an earlier version has no newer hyperparameters
    hyperparameters = TASKS[spec.task].hyperparameters
    own = {name: each.typed(values[name]) for name, each in hyperparameters.items()}
    common: dict[str, Any] = {name: own.pop(name) for name in COMMON}
    return FineTuneConfig(
        **common,
        model=str(values["model"]),
        measurements=measurements_of(spec.search, int(values["epochs"])),
        ends_at=ends_at,
        objective=spec.objective,
        precision=precision,
        seed=seed,
        task_values=own,
    )
