"""What another process asks of a search that runs: to stop, or to stop a trial.

Through the study's storage, which every process that may ask can reach.
"""

from collections.abc import Callable

import optuna

from autoft.errors import StudyError

STOP_ATTR = "stop"
"""The study's attribute: whether to stop."""
STOP_TRIAL_ATTR = "stop_trial:"
"""With a trial's number behind it, whether that is to end. One for each: who asks reads nothing first."""
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
        return bool(self._latest().get(STOP_ATTR))

    def stops(self, trial: int) -> bool:
        """Whether that trial is to end."""
        return bool(self._latest().get(f"{STOP_TRIAL_ATTR}{trial}"))

    def _latest(self) -> dict[str, object]:
        if self._clock() - self._read_s >= ASKED_EVERY_S:
            self._read = self._study._storage.get_study_user_attrs(self._study._study_id)
            self._read_s = self._clock()
        return self._read


def forget_requests(study: optuna.Study) -> None:
    """For the process that has just become the only one that searches: an earlier one was to stop.

    A trial that was to end is to end still, should it run.
    """
    if study.user_attrs.get(STOP_ATTR):
        study.set_user_attr(STOP_ATTR, False)


def request_stop(study: optuna.Study, trial: int | None = None) -> None:
    """Asks the process that searches to stop the search, or one trial.

    Raises:
        StudyError: the trial does not run.
    """
    if trial is None:
        study.set_user_attr(STOP_ATTR, True)
        return
    running = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
    numbers = [each.number for each in running]
    if trial not in numbers:
        which = ", ".join(map(str, numbers)) or "none"
        raise StudyError(f"trial {trial} of {study.study_name!r} does not run; running trials: {which}")
    study.set_user_attr(f"{STOP_TRIAL_ATTR}{trial}", True)
