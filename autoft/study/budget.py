"""What a session may still spend: trials, its time, GPU hours."""

from collections.abc import Callable
from typing import Literal

import optuna

from autoft.spec.study import Budget
from autoft.study.records import CRASHES_ATTR, END_ATTR, measurement_notes
from autoft.study.storage import trials_left


class Budgets:
    """Counts down. Trials and GPU hours are totals over all sessions, time is this session's.

    Args:
        study: from `open_study`.
        budget: of the request.
        gpus_per_trial: how many GPUs a trial holds.
        clock: seconds, monotonic.
        began_s: when the session began; None is now.
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
        self.reserved_s = 0.0
        """How much of the time is kept for what comes after the trials (`study.reserve`)."""
        self._spent = False
        self._gpu_s: dict[int, float] = {}
        self._wasted_gpu_s = 0.0
        if budget.gpu_hours is not None:
            self._gpu_s, self._wasted_gpu_s = _gpu_seconds(study)

    def ended(self) -> None:
        """Counts a trial that has become COMPLETE, PRUNED or FAIL."""
        self.trials_left -= 1

    def spend(self, number: int, elapsed_s: float) -> None:
        """Notes how long the trial `number` has run, over all of its attempts."""
        gpu_s = elapsed_s * self.gpus_per_trial
        if gpu_s < (before := self._gpu_s.get(number, 0.0)):
            self.waste(before)
        self._gpu_s[number] = gpu_s

    def waste(self, gpu_s: float) -> None:
        """Notes GPU seconds that led to no measurement."""
        self._wasted_gpu_s += gpu_s

    @property
    def spent(self) -> bool:
        """Whether the time for trials or the GPU hours are used up."""
        time_s, gpu_hours = self._budget.time_s, self._budget.gpu_hours
        late = time_s is not None and self._clock() - self._began_s >= time_s - self.reserved_s
        gpu_s = sum(self._gpu_s.values()) + self._wasted_gpu_s
        # Once spent it stays so: an attempt that starts over reports less than the one before it.
        self._spent = self._spent or late or (gpu_hours is not None and gpu_s >= 3600 * gpu_hours)
        return self._spent


def unfinished(study: optuna.Study, budget: Budget) -> str | None:
    """How far the study has come, such as `3 of 24 trials`; None if one of the budget's totals is met."""
    left = trials_left(study, budget)
    if left == 0:
        return None
    if budget.gpu_hours is not None and gpu_seconds(study) >= 3600 * budget.gpu_hours:
        return None
    return f"{budget.trials - left} of {budget.trials} trials"


Limit = Literal["time", "gpu_hours"]
"""The limits of a budget besides the trials."""


def limit_reached(study: optuna.Study, budget: Budget) -> Limit | None:
    """The limit that ended a session before all trials were done; None if none did.

    A session that a user stopped is not asked about.
    """
    hours = budget.gpu_hours
    if hours is not None and (budget.time_s is None or gpu_seconds(study) >= 3600 * hours):
        return "gpu_hours"
    return None if budget.time_s is None else "time"


def gpu_seconds(study: optuna.Study) -> float:
    """GPU seconds of all trials so far."""
    by_trial, wasted = _gpu_seconds(study)
    return sum(by_trial.values()) + wasted


def _gpu_seconds(study: optuna.Study) -> tuple[dict[int, float], float]:
    """GPU seconds by trial up to its last measurement, and those that led to none.

    What a killed driver had not stored is not known.
    """
    trials = study.get_trials(deepcopy=False)
    last = {trial.number: measurement_notes(trial)[-1:] for trial in trials}
    spent = {number: note["elapsed_s"] * note["gpus"] for number, notes in last.items() for note in notes}
    wasted = (trial.user_attrs.get(attr, {}) for trial in trials for attr in (CRASHES_ATTR, END_ATTR))
    return spent, sum(note.get("wasted_gpu_s", 0.0) for note in wasted)
