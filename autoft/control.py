"""What another terminal asks of a study through its storage: to stop, to try a configuration, to report."""

from collections.abc import Sequence
from pathlib import Path

from autoft.errors import StudyError
from autoft.named import find, full_request, later, read_study
from autoft.report import words
from autoft.spec.first import require_first_searched
from autoft.study.identity import with_stored_defaults
from autoft.study.lock import searched_by
from autoft.study.origin import FIRST, ORIGIN_ATTR
from autoft.study.requests import request_end, request_stop
from autoft.study.storage import clear_storage_errors, trials_left


def stop(study: str | Path, trial: int | None = None) -> str:
    """Asks the process that searches to stop within seconds, or to end one trial; says what was done.

    Raises:
        StudyError: there is no such study, nothing searches it, or the trial does not run.
    """
    found, folder = find(study)
    with clear_storage_errors(found.study_name):
        owner = searched_by(found, folder)
        if owner is None:
            raise StudyError(
                f"study {found.study_name!r}: no process searches it now, so there is nothing to stop"
            )
        if trial is None:
            for each in (found, *later(found, folder, study)):
                request_stop(each, owner)
            what = "The search stops"
        else:
            request_end(found, trial)
            what = f"Trial {trial} ends"
    again = "" if trial is not None else " Run the search command again to continue."
    return f"{what} within seconds: {owner} was asked.{again}"


def add(study: str | Path, assignments: Sequence[str]) -> str:
    """Queues a configuration (`learning_rate=2e-5`) as the next one to run. Says what was done.

    Raises:
        SpecError: it is not in what the study searches.
        StudyError: there is no such study, or its budget is met.
    """
    found, _ = find(study)
    spec = full_request(study, {"first": [{}]}, [f"first.0.{each}" for each in assignments])
    with clear_storage_errors(found.study_name):
        spec = with_stored_defaults(spec, found)
        require_first_searched(spec)
        if trials_left(found, spec.budget) == 0:
            raise StudyError(
                f"study {found.study_name!r}: its budget of {words.count(spec.budget.trials, 'trial')} is "
                "met, so what is queued would not run; raise budget.trials first"
            )
        found.enqueue_trial(dict(spec.first[0]), user_attrs={ORIGIN_ATTR: FIRST})
    return f"Queued for study {found.study_name}: {', '.join(assignments)}. It is the next trial that starts."


def report(study: str | Path) -> Path:
    """Writes the report of a study as it stands, at any time; returns its path.

    Raises:
        StudyError: there is no such study, or its folder does not take the report.
    """
    from autoft.report.page.page import write_page  # scikit-learn comes with it

    found, folder = find(study)
    with clear_storage_errors(found.study_name):
        try:
            return write_page(found, read_study(study))
        except OSError as error:
            raise StudyError(
                f"{folder} does not take the report: {error.strerror}; make room there"
            ) from error
