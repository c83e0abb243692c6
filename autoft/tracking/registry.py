"""Versions of registered models: which one a trial is, and which run one comes from."""

from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.entities import Run

from autoft.errors import TrackingError
from autoft.spec.study import Tracking
from autoft.study import storage
from autoft.tracking import runs, store, tags


@dataclass(frozen=True)
class Registered:
    """A version of a registered model."""

    name: str
    """The name of the registered model."""
    version: int
    run_id: str
    """The MLflow run of the trial that it comes from."""

    @property
    def model_uri(self) -> str:
        """`models:/name/version`, for `mlflow.transformers.load_model` and `mlflow.pyfunc.load_model`."""
        return f"models:/{self.name}/{self.version}"


def find_version(
    uri: str | None,
    experiment: str,
    study_id: str,
    study: str,
    number: int,
    name: str,
    *,
    refitted: bool = False,
) -> Registered | None:
    """The newest version of `name` that the trial is registered as; its run is tagged with it.

    `refitted` asks for one that was trained again (`FineTuned.refitted`), else it is one as it was scored.

    Raises TrackingError if the store does not answer.
    """
    client = store.connect(uri)
    with store.clear_errors(store.resolve(uri)):
        run = find_trial_run(client, experiment, study, study_id, number)
        found = client.search_model_versions(f"name = '{name}' and run_id = '{run.info.run_id}'")
        # Check for the files, because a folder may have been deleted since.
        there = [one for one in found if store.holds_files(str(one.source), store.resolve(uri))]
        wanted = [one for one in there if (tags.REFIT in one.tags) == refitted]
        ready = [int(one.version) for one in wanted if one.status == "READY"]
        if not ready:
            return None
        registered = Registered(name, max(ready), run.info.run_id)
        if run.data.tags.get(tags.MODEL_URI) != registered.model_uri:
            client.set_tag(run.info.run_id, tags.MODEL_URI, registered.model_uri)
    return registered


def where_published(study: storage.Study, tracking: Tracking) -> tuple[str | None, str, str]:
    """The tracking URI, the experiment and the study's id, which identify its runs."""
    return tracking.uri, tracking.experiment or study.study_name, storage.study_id(study)


def run_of(uri: str | None, name: str, version: int) -> str | None:
    """The run that a version's model comes from; None if it comes from none.

    Raises TrackingError if the store does not answer.
    """
    with store.clear_errors(store.resolve(uri)):
        run_id: str | None = store.connect(uri).get_model_version(name, str(version)).run_id
    return run_id or None


def find_trial_run(client: MlflowClient, experiment: str, study: str, study_id: str, number: int) -> Run:
    """The MLflow run of a trial. Raises TrackingError if there is none."""
    wanted = runs.has(STUDY=study, STUDY_ID=study_id, ROLE="trial", TRIAL=str(number))
    place = store.experiment_id(client, experiment)
    found = runs.fullest(runs.search(client, [place], wanted))
    if found is None:
        raise TrackingError(
            f"trial {number} of {study!r} is not in MLflow yet, so its model has no run to go to; "
            "run the same command again when the tracking server answers"
        )
    return found
