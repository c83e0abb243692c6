"""What another terminal does to a study's place in MLflow: publish it anew, make a trial's model champion."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from autoft.data.prepare import read_prepared
from autoft.errors import AutoftError, StudyError
from autoft.named import find, full_request, is_file, request_of, study_tracking_uri
from autoft.promotion import promote_by_hand
from autoft.report import words
from autoft.spec.read import read_spec
from autoft.spec.study import Tracking
from autoft.study.comparison import winner_of
from autoft.study.layout import DATA, PAGE
from autoft.study.lock import hold_session, searched_by
from autoft.study.records import TrialRecord, read_info, read_trial, read_trials
from autoft.study.storage import (
    Study,
    clear_storage_errors,
    study_id,
    trials_left,
)
from autoft.tracking.aliases import PREVIOUS
from autoft.tracking.recorder import Recorder
from autoft.tracking.registry import Registered, find_version, where_published
from autoft.tracking.store import resolve

if TYPE_CHECKING:
    from autoft.winner import Searched

SYNC_PATIENCE_S = 600.0
"""How long to wait for one run after another, on a slow server."""


def sync(study: str | Path, uri: str | None = None) -> str:
    """Publishes the whole study with its model, to its own tracking store or to `uri`; keeps what is there.

    Raises:
        StudyError: there is no such study, its search is running and publishes it, or the store does not
            accept all of it.
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
    model_uri = None
    if unrecorded is None and owner is None:
        tracking = Tracking(uri or study_tracking_uri(study), experiment)
        model_uri, unrecorded = _publish_model(study, found, folder, tracking)
        if model_uri is not None:
            recorder.registered(model_uri)
    if (page := folder / PAGE).exists():
        recorder.reported(page)
    unrecorded = recorder.close(0.0 if unrecorded else SYNC_PATIENCE_S, interrupted=left) or unrecorded
    if unrecorded is not None:
        raise StudyError(unrecorded)
    winner = f", and so is its winner: {model_uri}" if model_uri else ""
    verb = "is" if len(trials) == 1 else "are"
    return f"{words.count(len(trials), 'trial')} of study {found.study_name} {verb} in MLflow{winner}."


def _publish_model(
    study: str | Path, found: Study, folder: Path, tracking: Tracking
) -> tuple[str | None, str | None]:
    """Registers the winner unless it is registered; returns its model, and what was not accepted."""
    try:
        searched = _searched(study, found, folder, tracking)
        best = searched.winner()
        if best is None:
            return None, None
        if unpublished := _publish_replicas(searched):
            return None, unpublished
        best, _, unrecorded = searched.register_winner(best, print, tries=1)
    except AutoftError as error:
        return None, f"the winner's model: {error}"
    return best.model_uri, unrecorded


def _publish_replicas(searched: "Searched") -> str | None:
    """Publishes the replicas of a confirmation, if there was one; returns what was not accepted."""
    from autoft.confirmation import find_replicas  # torch comes with it

    replicas = find_replicas(searched)
    if replicas is None:
        return None
    recorder = replicas.recorder()
    recorder.catch_up(trial.number for trial in read_trials(replicas.study))
    unrecorded = recorder.flush(SYNC_PATIENCE_S, while_it_moves=True)
    left = trials_left(replicas.study, replicas.spec.budget) > 0
    return recorder.close(0.0 if unrecorded else SYNC_PATIENCE_S, interrupted=left) or unrecorded


def promote(study: str | Path, trial: int | None, say: Callable[[str], None]) -> str:
    """Makes a trial's model the champion of the study's registered model, without comparing it.

    None means the winner. A trial that is not registered yet is registered first. Says what was done; `say`
    is called before what takes long.

    Raises:
        StudyError: there is no such study or trial, or the trial is not COMPLETE.
        TrackingError: the store does not answer.
    """
    found, folder = find(study)
    with clear_storage_errors(found.study_name):
        chosen = _winner(found) if trial is None else read_trial(found, trial)
    if chosen is None or chosen.state != "COMPLETE":
        what = "no trial is COMPLETE" if chosen is None else f"trial {trial} is {chosen.state}"
        raise StudyError(
            f"study {found.study_name!r}: {what}, and only the model of a COMPLETE trial is whole"
        )
    asked = request_of(study, "tracking")
    tracking = Tracking(study_tracking_uri(study), asked.tracking.experiment if asked else None)
    info = read_info(found)
    if trial is None and (info.confirmed is not None or info.refitted is not None):
        version = _version_of_winner(study, found, folder, tracking, say)
    else:
        version = _version(study, found, folder, chosen, tracking, say)
    before = promote_by_hand(tracking.uri, version)
    what = f"{version.model_uri} (trial {chosen.number} of {found.study_name}) is the champion"
    if before == version.version:
        return f"{what} already."
    former = "there was none" if before is None else f"version {before} now has the alias {PREVIOUS!r}"
    return f"{what}; {former}."


def _winner(study: Study) -> TrialRecord | None:
    info = read_info(study)
    return winner_of(read_trials(study), info.direction, info.confirmed)


def _version_of_winner(
    study: str | Path, found: Study, folder: Path, tracking: Tracking, say: Callable[[str], None]
) -> Registered:
    """The winner's model in the registry, as it was confirmed or trained again while that stands."""
    with hold_session(folder), clear_storage_errors(found.study_name):
        searched = _searched(study, found, folder, tracking)
        best = searched.winner()
        assert best is not None  # the caller has seen one
        return searched.version_of_winner(best, say)


def _version(
    study: str | Path,
    found: Study,
    folder: Path,
    trial: TrialRecord,
    tracking: Tracking,
    say: Callable[[str], None],
) -> Registered:
    """The trial's model in the registry; if it is not there, it is registered from the trial's checkpoint."""
    asked = request_of(study, "register")
    name = asked.register.name if asked else found.study_name
    place = where_published(found, tracking)
    version = find_version(*place, found.study_name, trial.number, name)
    if version is not None:
        return version
    with hold_session(folder), clear_storage_errors(found.study_name):
        return _searched(study, found, folder, tracking).version_of(trial, say)


def _searched(study: str | Path, found: Study, folder: Path, tracking: Tracking) -> "Searched":
    """The study in the state that its search has left, to be published at `tracking`."""
    from autoft.winner import Searched  # torch comes with it

    spec = read_spec(study) if is_file(study) else full_request(study, {})
    return Searched(found, replace(spec, tracking=tracking), read_prepared(folder / DATA), folder)
