"""The way back: a study's winning configuration and its model, from any machine that reaches MLflow."""

import json
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from tempfile import TemporaryDirectory
from typing import Any

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from autoft.errors import StudyError
from autoft.spec.space import Value
from autoft.spec.sqlite import sqlite_file
from autoft.tracking import runs, store, tags


@dataclass(frozen=True)
class Best:
    """A study's winning configuration."""

    study: str
    params: dict[str, Value]
    """The searched parameters."""
    metric: str
    """The objective's name."""
    value: float
    """The objective at the trial's best measurement, on the validation split."""
    trial: int
    run_id: str
    """Of the trial's run in MLflow."""
    model_uri: str | None
    """The registered version, such as `models:/support-tickets/1`; None while it is not registered, or where
    its files are gone."""
    values: dict[str, Value]
    """Every hyperparameter's value: searched, fixed or default. Of a study that an earlier version of autoft
    published: `params` alone, until `autoft sync` publishes it anew."""

    def to_dict(self) -> dict[str, Any]:
        """What `autoft best --json` prints: all fields, in their order."""
        return asdict(self)


def best(study: str, tracking_uri: str | None = None) -> Best:
    """The best complete trial of a study, found by its tags over all experiments.

    `tracking_uri` None is MLflow's own convention: MLFLOW_TRACKING_URI, else `sqlite:///mlflow.db`. Where
    several studies have the name, the newest counts.

    Raises:
        StudyError: no study of that name, with those that there are; or it has no complete trial.
        TrackingError: the store does not answer.
    """
    where = store.resolve(tracking_uri)
    client = _connect(where)
    with store.clear_errors(where):
        parent = _parent(client, study, where)
        run = _winner(client, parent)
        registered = None if run is None else _registered(client, run)
    if run is None:
        raise StudyError(
            f"study {study!r} has no complete trial in {store.redact(where)}, so there is no winner; "
            "run `autoft search` again to go on"
        )
    params = json.loads(run.data.tags.get(tags.PARAMS, "{}"))
    return Best(
        study=study,
        params=params,
        metric=parent.data.tags[tags.OBJECTIVE],
        value=run.data.metrics[tags.OBJECTIVE_METRIC],
        trial=int(run.data.tags[tags.TRIAL]),
        run_id=run.info.run_id,
        model_uri=registered,
        values=json.loads(run.data.tags[tags.VALUES]) if tags.VALUES in run.data.tags else params,
    )


def load_best_model(study: str, tracking_uri: str | None = None) -> Any:
    """The winner as a transformers text-classification pipeline; it cuts over-long texts by itself.

    Raises:
        StudyError: no such study, or its winner is not registered yet.
        TrackingError: the store does not answer.
    """
    where = store.resolve(tracking_uri)
    winner = best(study, where)
    client = _connect(where)
    if winner.model_uri is None:
        raise _missing(client, winner)
    with TemporaryDirectory() as folder, store.clear_errors(where):
        # Not `models:/...` itself, which is looked up wherever this process happens to point MLflow.
        source = _source(client, winner.model_uri)
        return load_quietly(download_artifacts(source, dst_path=folder, tracking_uri=where))


def _missing(client: MlflowClient, winner: Best) -> StudyError:
    """That there is no model, and why."""
    claimed = client.get_run(winner.run_id).data.tags.get(tags.MODEL_URI)
    if claimed is None:
        return StudyError(
            f"the best trial of {winner.study!r} ({winner.trial}) is not registered yet; "
            "run `autoft search` again: it registers the winner when the budget is met"
        )
    source = _source(client, claimed)
    there = f"its files are not at {store.redact(source)}" if source else "MLflow has it no longer"
    return StudyError(
        f"the best trial of {winner.study!r} ({winner.trial}) was registered as {claimed}, but {there}; "
        f"bring them back, or publish the model again with: autoft sync {winner.study}"
    )


def load_quietly(path: str) -> Any:
    """The transformers pipeline that is saved at `path`, without a progress bar."""
    import mlflow.transformers
    from transformers.utils import logging as transformers_logging

    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return mlflow.transformers.load_model(path)
    finally:
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _connect(where: str) -> MlflowClient:
    """A client to read with: MLflow would make a database that is not there, so that is an error here."""
    file = sqlite_file(where)
    if file is not None and not file.exists():
        raise StudyError(
            f"no MLflow store at {store.redact(where)}, so there is no study to read; go to the folder of "
            "the search, name the study's space.yaml, or set MLFLOW_TRACKING_URI"
        )
    return store.connect(where)


def _names(client: MlflowClient) -> list[str]:
    return list(dict.fromkeys(run.data.tags[tags.STUDY] for run in runs.parents(client)))


def _parent(client: MlflowClient, study: str, where: str) -> Run:
    found = [] if "'" in study else runs.parents(client, study)
    if found:
        return found[0]
    names = _names(client)
    near = get_close_matches(study, names, n=1)
    hint = f", did you mean {near[0]!r}?" if near else ""
    there = f"studies there: {', '.join(names[:20])}" if names else "there is no study there yet"
    raise StudyError(f"no study {study!r} in {store.redact(where)}{hint} ({there})")


def _registered(client: MlflowClient, run: Run) -> str | None:
    """The model that the run says it is registered as, unless its files are gone."""
    claimed = run.data.tags.get(tags.MODEL_URI)
    if claimed is None:
        return None
    source = _source(client, claimed)
    return claimed if source is not None and store.holds_files(source, client.tracking_uri) else None


def _source(client: MlflowClient, model_uri: str) -> str | None:
    """Where the files of a registered version are; None where it was deleted."""
    _, name, version = model_uri.rsplit("/", 2)
    try:
        return str(client.get_model_version_download_uri(name, version))
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def _winner(client: MlflowClient, parent: Run) -> Run | None:
    """The complete trial with the best objective; of equals the earliest, as in the study itself."""
    order = "DESC" if parent.data.tags[tags.DIRECTION] == "maximize" else "ASC"
    wanted = f"{runs.has(ROLE='trial', STATE='COMPLETE')} and tags.`{tags.PARENT}` = '{parent.info.run_id}'"
    ranked = runs.search(
        client, [parent.info.experiment_id], wanted, [f"metrics.`{tags.OBJECTIVE_METRIC}` {order}"]
    )
    top: Run | None = None
    for run in ranked:
        value = run.data.metrics.get(tags.OBJECTIVE_METRIC)
        if value is None or (top is not None and value != top.data.metrics[tags.OBJECTIVE_METRIC]):
            break
        if top is None or int(run.data.tags[tags.TRIAL]) < int(top.data.tags[tags.TRIAL]):
            top = run
    return top
