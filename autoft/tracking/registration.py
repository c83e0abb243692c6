"""A trial's model: logged in the trial's run, read back, and registered as a candidate."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from autoft.tracking import store, tags
from autoft.tracking.aliases import CANDIDATE
from autoft.tracking.projection import metrics
from autoft.tracking.read_back import require_same_model
from autoft.tracking.registry import Registered, find_trial_run
from autoft.tracking.saving import FineTuned, save_model

if TYPE_CHECKING:
    from autoft.study.records import StudyInfo, TrialRecord


def register_version(
    uri: str | None,
    experiment: str,
    study_id: str,
    info: "StudyInfo",
    trial: "TrialRecord",
    tuned: FineTuned,
    name: str,
    beside: str = "",
) -> Registered:
    """Logs the model in the trial's run and registers it as a new version of `name`, a candidate.

    The trial's run must be in MLflow (see `Recorder.flush`). The model's and the tokenizer's name are set to
    `tuned.reference`, without the folders of this machine. The version's description gives its score, and
    how its answers are read, and what is said `beside` it in sentences.

    Raises:
        TrackingError: the store, its artifact store or its registry does not accept it, or another model
            comes back.
    """
    client = store.connect(uri)
    where = store.resolve(uri)
    with store.clear_errors(where):
        run = find_trial_run(client, experiment, info.name, study_id, trial.number)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        described = save_model(path, info, trial, tuned)
        with store.clear_errors(where):
            _ensure_model(client, name, info)
            made = log_model(client, where, path, described, info, trial, tuned, run)
    with store.clear_errors(where):
        _link(client, run.info.run_id, made.model_id, trial, scored=not tuned.refitted)
        version = _create_version(client, made, info, trial, name, run, beside, tuned)
        registered = Registered(name, int(version.version), run.info.run_id)
        client.set_registered_model_alias(name, CANDIDATE, str(registered.version))
        client.set_tag(run.info.run_id, tags.MODEL_URI, registered.model_uri)
    return registered


def _ensure_model(client: MlflowClient, name: str, info: "StudyInfo") -> None:
    study = info.confirms or info.name
    try:
        client.create_registered_model(
            name, tags={tags.STUDY: study}, description=f"Winners of the study {study}, by autoft."
        )
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _create_version(
    client: MlflowClient,
    made: LoggedModel,
    info: "StudyInfo",
    trial: "TrialRecord",
    name: str,
    run: Run,
    beside: str,
    tuned: FineTuned,
) -> ModelVersion:
    """Creates the version after the model is complete, so that a failed upload leaves none."""
    what = f"Trial {trial.number} of {info.name}"
    if info.confirms is not None:
        what = f"Replica {trial.number} of {info.confirms}, on a fresh seed"
    scored = f"{what}: {info.objective} {trial.score:.4f} on validation."
    return client.create_model_version(
        name,
        source=made.artifact_location,  # `models:/id` would be looked up in MLflow's default store
        run_id=run.info.run_id,
        tags={
            tags.STUDY: info.name,
            tags.TRIAL: str(trial.number),
            **({tags.REFIT: tuned.refitted} if tuned.refitted else {}),
        },
        description=" ".join(filter(None, [scored, tuned.refitted, tuned.served.note, beside])),
        model_id=made.model_id,
    )


def log_model(
    client: MlflowClient,
    where: str,
    path: Path,
    described: Model,
    info: "StudyInfo",
    trial: "TrialRecord",
    tuned: FineTuned,
    run: Run,
) -> LoggedModel:
    """Uploads what `save_model` wrote to `path`, as the model of a trial's run, and reads it back.

    Registers nothing. If the upload fails, the model in MLflow is marked as failed. Raises what MLflow
    raises, and TrackingError if another model comes back from the store at `where`.
    """
    made = client.create_logged_model(
        run.info.experiment_id,
        name="model",
        source_run_id=run.info.run_id,
        tags={tags.STUDY: info.name, tags.TRIAL: str(trial.number)},
        params=dict(run.data.params),
    )
    described.run_id = run.info.run_id
    described.model_uuid = described.model_id = made.model_id
    described.save(str(path / "MLmodel"))
    try:
        client.log_model_artifacts(made.model_id, str(path))
        require_same_model(made.artifact_location, where, tuned)
    except BaseException:
        with suppress(Exception):
            client.finalize_logged_model(made.model_id, "FAILED")
        raise
    client.finalize_logged_model(made.model_id, "READY")
    return made


def _link(client: MlflowClient, run_id: str, model_id: str, trial: "TrialRecord", *, scored: bool) -> None:
    """Shows the model on the run's page, and the metrics of the best measurement on the page of its model.

    `scored` says whether that is the model, and not one that was trained again.
    """
    best = next((one for one in trial.measurements if one.index == trial.best_index), None)
    client.log_outputs(run_id, [LoggedModelOutput(model_id, best.step if best else 0)])
    if best is not None and scored:
        client.log_batch(run_id, metrics=metrics(trial, [best], model_id))
