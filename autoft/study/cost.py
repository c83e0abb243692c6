"""What a study's trials have taken, and what stopping some of them has spared."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import optuna

from autoft.study.budget import gpu_seconds

if TYPE_CHECKING:
    from autoft.kernel.boundary.plan import Boundary, CachePlan
    from autoft.study.records import TrialRecord


@dataclass(frozen=True)
class Cost:
    """In seconds."""

    elapsed_s: float
    """Time in which at least one trial ran, of its last attempt."""
    trials_s: float
    """Of all trials together, up to the last measurement of each, over all attempts."""
    gpu_s: float
    """Times the GPUs that each one held; 0 on CPUs."""
    spared_s: float
    """What stopped trials would have taken besides, each at its own pace so far."""


def cost_of(study: optuna.Study, trials: Iterable["TrialRecord"]) -> Cost:
    """What the `trials` of the study have taken; of one that runs, until its last measurement."""
    measured = [(each, each.measurements[-1]) for each in trials if each.measurements]
    intervals = [
        (each.started, each.finished or each.started + timedelta(seconds=last.elapsed_s))
        for each, last in measured
        if each.started is not None
    ]
    return Cost(
        elapsed_s=_covered_s(intervals),
        trials_s=sum(last.elapsed_s for _, last in measured),
        gpu_s=gpu_seconds(study),
        spared_s=sum(
            last.elapsed_s * (1 / last.fraction - 1) for each, last in measured if each.stop is not None
        ),
    )


def spared_by_storing_s(plan: "CachePlan", trials: Iterable["TrialRecord"], rows: Mapping[str, int]) -> float:
    """Seconds that trials would have taken besides without stored states; to fill each boundary is a pass.

    Args:
        plan: the study's; `Boundary.pass_spares_s` is the pace.
        trials: counted until their last measurements.
        rows: by split.
    """
    passes: dict[Boundary, float] = defaultdict(lambda: -1.0)
    for trial in trials:
        if not trial.measurements:
            continue
        values, model = trial.values, str(trial.values["model"])
        asked = values.get("max_length")
        own = plan.at(values).of(model, plan.length(model, None if asked is None else int(asked)))
        read = next((each for each in own if values["unfreeze_depth"] in each.depths), None)
        if read is not None:
            trained, measured = trial.measurements[-1].epoch, len(trial.measurements)
            of_rows = trained * rows["train"] + measured * rows["validation"]
            passes[read] += of_rows / (rows["train"] + rows["validation"])
    return sum(max(0.0, count) * boundary.pass_spares_s for boundary, count in passes.items())


def _covered_s(intervals: Iterable[tuple[datetime, datetime]]) -> float:
    """The seconds that lie in at least one of the intervals."""
    covered, until = 0.0, None
    for began, ended in sorted(intervals):
        since = began if until is None else max(began, until)
        covered += max(0.0, (ended - since).total_seconds())
        until = ended if until is None else max(until, ended)
    return covered
