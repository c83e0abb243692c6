"""What a sitting may still spend: trials, its time, GPU hours."""

from collections.abc import Callable

import optuna

from autoft.spec.study import Budget
from autoft.study.records import measurement_notes
from autoft.study.storage import trials_left


class Budgets:
    """Counts down. Trials and GPU hours are totals over all sittings, time is this sitting's.

    Args:
        study: from `open_study`.
        budget: the request's.
        gpus_per_trial: what a trial holds.
        clock: seconds, monotonic.
        began_s: when the sitting began; None is now.
    """

    def __init__(
        self,
        study: optuna.Study,
        budget: Budget,
        gpus_per_trial: float,
        clock: Callable[[], float],
        began_s: float | None = None,
    ) -> None:
        self.gpus_per_trial = gpus_per_trial
        self.trials_left = trials_left(study, budget)
        self._budget, self._clock = budget, clock
        self._began_s = clock() if began_s is None else began_s
        self._gpu_s = _gpu_seconds(study) if budget.gpu_hours is not None else {}

    def ended(self) -> None:
        """A trial is COMPLETE, PRUNED or FAIL."""
        self.trials_left -= 1

    def spend(self, number: int, elapsed_s: float) -> None:
        """The trial `number` has run for so long, over all of its attempts."""
        self._gpu_s[number] = elapsed_s * self.gpus_per_trial

    @property
    def spent(self) -> bool:
        """Whether time or GPU hours are over."""
        time_s, gpu_hours = self._budget.time_s, self._budget.gpu_hours
        late = time_s is not None and self._clock() - self._began_s >= time_s
        return late or (gpu_hours is not None and sum(self._gpu_s.values()) >= 3600 * gpu_hours)


def _gpu_seconds(study: optuna.Study) -> dict[int, float]:
    """By trial, as far as measurements tell."""
    last = {trial.number: measurement_notes(trial)[-1:] for trial in study.get_trials(deepcopy=False)}
    return {number: note["elapsed_s"] * note["gpus"] for number, notes in last.items() for note in notes}
