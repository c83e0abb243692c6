"""Writes a model to the tracking store like a winner's, reads it back and deletes it."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from autoft.study.disk_quota import bytes_below
from autoft.tracking import store, tags
from autoft.tracking.registration import log_model
from autoft.tracking.saving import FineTuned, save_model

if TYPE_CHECKING:
    from autoft.study.records import StudyInfo, TrialRecord


def try_model(uri: str | None, info: "StudyInfo", trial: "TrialRecord", tuned: FineTuned) -> int:
    """Logs the model in an experiment of its own, loads it from there and classifies the example row.

    Afterwards experiment, run and model are deleted, and their files if the artifact store can delete. MLflow
    shows them as deleted until its `mlflow gc` is run. Nothing is registered.

    Returns:
        The model's size in bytes.

    Raises:
        TrackingError: the store or its artifact store does not accept the model, or another one comes back.
    """
    client, where = store.connect(uri), store.resolve(uri)
    # A new name each time, because MLflow does not free the name of a deleted experiment.
    with store.clear_errors(where):
        experiment = client.create_experiment(f"autoft-rehearsal-{info.name}-{uuid4().hex[:8]}")
    try:
        with TemporaryDirectory() as folder, store.clear_errors(where):
            run = client.create_run(experiment, tags={tags.ROLE: "rehearsal"}, run_name="autoft-rehearsal")
            return _there_and_back(client, Path(folder), run, info, trial, tuned, where)
    finally:
        _take_away(client, experiment, where)


def _there_and_back(
    client: MlflowClient,
    folder: Path,
    run: Run,
    info: "StudyInfo",
    trial: "TrialRecord",
    tuned: FineTuned,
    where: str,
) -> int:
    described = save_model(folder / "model", info, trial, tuned)
    log_model(client, where, folder / "model", described, info, trial, tuned, run)
    return bytes_below(folder / "model")


def _take_away(client: MlflowClient, experiment: str, where: str) -> None:
    """Deletes what the store can delete, each part separately, so that one failure affects no other."""
    with suppress(Exception):
        for model in client.search_logged_models([experiment]):
            _delete_files(model.artifact_location, where)
            client.delete_logged_model(model.model_id)
    with suppress(Exception):
        for run in client.search_runs([experiment]):
            _delete_files(run.info.artifact_uri, where)
            client.delete_run(run.info.run_id)
    with suppress(Exception):
        location = client.get_experiment(experiment).artifact_location.rstrip("/")
        if location.endswith(f"/{experiment}"):  # what is left there are empty folders
            _delete_files(location, where)
    with suppress(Exception):
        client.delete_experiment(experiment)


def _delete_files(location: str, where: str) -> None:
    with suppress(Exception):  # not every artifact store can delete
        get_artifact_repository(location, tracking_uri=where).delete_artifacts()  # type: ignore[no-untyped-call]
