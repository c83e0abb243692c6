"""The metrics of a study's own run: how the best objective rose, what it cost, what the test rows say."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mlflow.entities import Metric

from autoft.study.comparison import winner_of

if TYPE_CHECKING:
    from autoft.study.records import TrialRecord
    from autoft.study.tested import Tested

BEST = "best_objective"
"""Not `objective`: the study is no trial, and would stand among them where runs are sorted by that."""
ENDED = "trials_ended"
"""At every step the step itself, so that a later session knows where to go on."""


def progress(trials: Sequence["TrialRecord"], direction: str, since: int) -> Iterator[Metric]:
    """From the ended trials, in the order of their ends; step n is after n of them.

    Args:
        trials: all of the study.
        direction: of the objective.
        since: the last step that was logged.
    """
    ended = [each for each in trials if each.finished is not None and each.state != "RUNNING"]
    ended.sort(key=lambda trial: (trial.finished, trial.number))
    for step in range(since + 1, len(ended) + 1):
        so_far = ended[:step]
        at = round(1000 * so_far[-1].finished.timestamp())  # type: ignore[union-attr]
        counts = Counter(trial.state for trial in so_far)
        values = {
            ENDED: step,
            "trials_complete": counts["COMPLETE"],
            "trials_pruned": counts["PRUNED"],
            "trials_failed": counts["FAIL"],
            "trial_hours": sum(trial.duration_s or 0.0 for trial in so_far) / 3600,
        }
        best = winner_of(so_far, direction)
        if best is not None and best.score is not None:
            values[BEST] = best.score
        yield from (Metric(name, float(value), at, step) for name, value in values.items())


def on_test(tested: "Tested") -> list[Metric]:
    """The winner's metrics on the test rows as `test_...`, and how often they were opened, as the step."""
    return [Metric(f"test_{name}", value, 0, tested.opened) for name, value in tested.winner.metrics.items()]
