"""Requests of another process to a running search: to stop, or to end a trial.

They go through the study's storage, which every process that may ask can reach.
"""

from collections.abc import Callable
from dataclasses import asdict

import optuna

from autoft.errors import StudyError
from autoft.study.lock import Owner

STOP_ATTR = "stop"
"""The study's attribute: the process that is to stop."""
STOP_TRIAL_ATTR = "stop_trial:"
"""Prefix of the study's attribute that says that a trial is to end; its number follows.

Each trial has its own attribute, so that a request need not read the others first.
"""
ASKED_EVERY_S = 1.0


class Requests:
    """The searching process's side."""

    def __init__(self, study: optuna.Study, clock: Callable[[], float]) -> None:
        self._study, self._clock = study, clock
        self._read: dict[str, object] = study.user_attrs
        self._read_s = clock()

    @property
    def stop(self) -> bool:
        """Whether the search is to stop."""
        return self._latest().get(STOP_ATTR) == asdict(Owner.this_process())

    def stops(self, trial: int) -> bool:
        """Whether that trial is to end."""
        return bool(self._latest().get(f"{STOP_TRIAL_ATTR}{trial}"))

    def _latest(self) -> dict[str, object]:
        if self._clock() - self._read_s >= ASKED_EVERY_S:
            self._read = self._study._storage.get_study_user_attrs(self._study._study_id)
            self._read_s = self._clock()
        return self._read


def request_stop(study: optuna.Study, owner: Owner) -> None:
    """Asks the process that searches to stop. A process that searches later is not affected."""
    study.set_user_attr(STOP_ATTR, asdict(owner))


def forget_stop(study: optuna.Study) -> None:
    """Clears the request at the end of a search, because the same process may search again."""
    if study.user_attrs.get(STOP_ATTR):
        study.set_user_attr(STOP_ATTR, None)


def request_end(study: optuna.Study, trial: int) -> None:
    """Asks the process that searches to end one trial.

    Raises:
        StudyError: the trial does not run.
    """
    running = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
    numbers = [each.number for each in running]
    if trial not in numbers:
        which = ", ".join(map(str, numbers)) or "none"
        raise StudyError(f"trial {trial} of {study.study_name!r} does not run; running trials: {which}")
    study.set_user_attr(f"{STOP_TRIAL_ATTR}{trial}", True)
