"""What another process asks of a search that runs: to stop, or to stop a trial.

Through the study's storage, which every process that may ask can reach.
"""

from collections.abc import Callable

import optuna

from autoft.errors import StudyError

REQUESTS_ATTR = "requests"
"""The study's attribute: whether to stop, and which trials."""
ASKED_EVERY_S = 1.0


class Requests:
    """The searching process's side."""

    def __init__(self, study: optuna.Study, clock: Callable[[], float]) -> None:
        self._study, self._clock = study, clock
        self._read: dict[str, object] = study.user_attrs.get(REQUESTS_ATTR, {})
        self._read_s = clock()

    @property
    def stop(self) -> bool:
        """Whether the search is to stop."""
        return bool(self._latest().get("stop"))

    @property
    def stopped_trials(self) -> list[int]:
        """Trials that are to end."""
        trials = self._latest().get("trials", [])
        return trials if isinstance(trials, list) else []

    def _latest(self) -> dict[str, object]:
        if self._clock() - self._read_s >= ASKED_EVERY_S:
            storage = self._study._storage
            self._read = storage.get_study_user_attrs(self._study._study_id).get(REQUESTS_ATTR, {})
            self._read_s = self._clock()
        return self._read


def forget_requests(study: optuna.Study) -> None:
    """What was asked of an earlier process; for the one that has just become the only one that searches."""
    study.set_user_attr(REQUESTS_ATTR, {})


def request_stop(study: optuna.Study, trial: int | None = None) -> None:
    """Asks the process that searches to stop the search, or one trial.

    Raises:
        StudyError: the trial does not run.
    """
    asked = study.user_attrs.get(REQUESTS_ATTR, {})
    if trial is None:
        study.set_user_attr(REQUESTS_ATTR, {**asked, "stop": True})
        return
    running = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
    numbers = [each.number for each in running]
    if trial not in numbers:
        which = ", ".join(map(str, numbers)) or "none"
        raise StudyError(f"trial {trial} of {study.study_name!r} does not run; running trials: {which}")
    study.set_user_attr(REQUESTS_ATTR, {**asked, "trials": [*asked.get("trials", []), trial]})
