"""What simple models score beside the trials, as the study stores it. `judge.baselines` fits them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import optuna

TRIVIAL = "trivial"
"""The name of the baseline that hardly reads a row: who is no better has learned nothing."""
BASELINES_ATTR = "baselines"
"""The study's attribute that holds its `Baseline`s."""


@dataclass(frozen=True)
class Baseline:
    """One of them."""

    name: str
    """`trivial`, `classical` or `frozen`."""
    metrics: Mapping[str, float]
    """Every metric of the task on the validation rows; empty if it failed."""
    error: float | None
    """The standard error of the objective; None if unknown."""
    rows: int
    """Training rows that it was fitted on."""
    train_rows: int
    """Those that there are."""
    seconds: float
    failed: str | None = None
    """Why there is none, in one line."""


def write_baselines(study: optuna.Study, baselines: Sequence[Baseline]) -> None:
    """Stores the baselines of the study, once they are all fitted."""
    study.set_user_attr(BASELINES_ATTR, [asdict(each) for each in baselines])


def read_baselines(study: optuna.Study) -> tuple[Baseline, ...]:
    """The baselines of the study; none before they are fitted."""
    return tuple(Baseline(**each) for each in study.user_attrs.get(BASELINES_ATTR, ()))


def best_baseline(baselines: Sequence[Baseline], objective: str, direction: str) -> Baseline | None:
    """The one with the best objective, the first of equals; None if all failed or there are none."""
    sign = -1 if direction == "maximize" else 1
    scored = [each for each in baselines if objective in each.metrics]
    return min(scored, key=lambda each: sign * each.metrics[objective], default=None)
