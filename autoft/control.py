"""What another terminal does to a study: stop it, queue a configuration, publish it anew."""

from collections.abc import Sequence
from pathlib import Path

from autoft.api import find, full_request, request_of, study_tracking_uri
from autoft.errors import StudyError
from autoft.study.lock import searched_by
from autoft.study.records import read_info, read_trial, read_trials
from autoft.study.requests import request_end, request_stop
from autoft.study.start import FIRST, ORIGIN_ATTR
from autoft.study.storage import clear_storage_errors, study_id, trials_left
from autoft.tracking.recorder import Recorder
from autoft.tracking.store import resolve

SYNC_PATIENCE_S = 600.0
"""For one run after another, on a slow server."""


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
            request_stop(found, owner)
            what = "The search stops and keeps its place"
        else:
            request_end(found, trial)
            what = f"Trial {trial} ends"
    return f"{what} within seconds: {owner} was asked."


def add(study: str | Path, assignments: Sequence[str]) -> str:
    """Queues a configuration (`learning_rate=2e-5`): it is the next one to run. Says what was done.

    Raises:
        SpecError: it is not in what the study searches.
        StudyError: there is no such study, or its budget is met.
    """
    found, _ = find(study)
    spec = full_request(study, {"first": [{}]}, [f"first.0.{each}" for each in assignments])
    with clear_storage_errors(found.study_name):
        if trials_left(found, spec.budget) == 0:
            raise StudyError(
                f"study {found.study_name!r}: its budget of {spec.budget.trials} trials is met, so what is "
                "queued would not run; raise budget.trials first"
            )
        found.enqueue_trial(dict(spec.first[0]), user_attrs={ORIGIN_ATTR: FIRST})
    return f"Queued for study {found.study_name}: {', '.join(assignments)}. It is the next trial that starts."


def sync(study: str | Path, uri: str | None = None) -> str:
    """Publishes the whole study anew, to its own tracking store or to `uri`; what is there stays.

    Raises:
        StudyError: there is no such study, it is searched now and publishes itself, or the store does not
            take all of it.
    """
    found, folder = find(study)
    spec = request_of(study, "tracking")
    published = spec.tracking.uri if spec else None
    owner = searched_by(found, folder)
    if owner is not None and resolve(uri or published) == resolve(published):
        raise StudyError(f"study {found.study_name!r}: {owner} searches it, and publishes it by itself")
    trials = read_trials(found)
    experiment = (spec.tracking.experiment if spec else None) or found.study_name
    recorder = Recorder(
        uri or study_tracking_uri(study),
        experiment,
        study_id(found),
        lambda: read_info(found),
        lambda number: read_trial(found, number),
    )
    recorder.catch_up(trial.number for trial in trials)
    left = spec is None or trials_left(found, spec.budget) > 0
    unrecorded = recorder.flush(SYNC_PATIENCE_S, while_it_moves=True)
    unrecorded = recorder.close(0.0 if unrecorded else SYNC_PATIENCE_S, interrupted=left) or unrecorded
    if unrecorded is not None:
        raise StudyError(unrecorded)
    return f"{len(trials)} trials of study {found.study_name} are in MLflow."
