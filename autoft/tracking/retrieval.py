"""The way back: a study's winning configuration, from any machine that reaches MLflow."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

from mlflow import MlflowClient
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
    """The objective of its model on the validation split: at the trial's best measurement, or of the replica
    that a confirmation has chosen."""
    trial: int
    run_id: str
    """The id of the trial's run in MLflow."""
    model_uri: str | None
    """The registered version, such as `models:/support-tickets/1`; None while it is not registered, or if
    its files are gone."""
    values: dict[str, Value]
    """Every hyperparameter's value: searched, fixed or default; only `params` if the run has no more."""
    confirmation: dict[str, Any] | None = None
    """What was found on fresh seeds (`study.confirmed.Confirmed`), which chose this configuration; None if
    nothing was. The registered model is then the replica with the median score."""
    refit: dict[str, Any] | None = None
    """How it was trained again on training and validation rows (`study.refitted.Refitted`), which made the
    registered model unless that failed; None if it was not."""
    test: dict[str, Any] | None = None
    """What the test rows have said of the registered model (`study.tested.Tested`); None if nothing yet."""

    def to_dict(self) -> dict[str, Any]:
        """What `autoft best --json` prints: all fields, in their order."""
        return asdict(self)


def best(study: str, tracking_uri: str | None = None) -> Best:
    """The winner of a study, found by its tags in all experiments.

    `tracking_uri` None means MLflow's own convention: MLFLOW_TRACKING_URI, else `sqlite:///mlflow.db`. If
    several studies have the name, the newest one counts.

    Raises:
        StudyError: no study of that name, with those that there are; or it has no complete trial.
        TrackingError: the store does not answer.
    """
    where = store.resolve(tracking_uri)
    client = connect(where)
    with store.clear_errors(where):
        parent = _parent(client, study, where)
        run = _winner(client, parent)
        confirmation = json.loads(parent.data.tags.get(tags.CONFIRMATION) or "null")
        of = _replica(client, parent, confirmation) if confirmation else run
        registered = None if of is None else _registered(where, of)
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
        value=confirmation["score"] if confirmation else run.data.metrics[tags.OBJECTIVE_METRIC],
        trial=int(run.data.tags[tags.TRIAL]),
        run_id=run.info.run_id,
        model_uri=registered,
        values=json.loads(run.data.tags[tags.VALUES]) if tags.VALUES in run.data.tags else params,
        confirmation=confirmation,
        refit=json.loads(parent.data.tags.get(tags.REFIT) or "null"),
        test=json.loads(parent.data.tags.get(tags.TEST) or "null"),
    )


class MissingVersionError(StudyError):
    """The registry has no such version any more."""


def source_of(where: str, name: str, version: int) -> str:
    """Where its files are. MLflow would look up `models:/...` in its default store, which may be another."""
    try:
        found: str = store.connect(where).get_model_version_download_uri(name, str(version))
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise MissingVersionError(f"models:/{name}/{version} is not in the registry any more") from None
    return found


def connect(where: str) -> MlflowClient:
    """A client for reading. A missing database is an error here, because MLflow would create it."""
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


def _registered(where: str, run: Run) -> str | None:
    """The model that the run says it is registered as, unless its files are gone."""
    claimed: str | None = run.data.tags.get(tags.MODEL_URI)
    if claimed is None:
        return None
    _, name, version = claimed.rsplit("/", 2)
    try:
        source = source_of(where, name, int(version))
    except MissingVersionError:
        return None
    return claimed if store.holds_files(source, where) else None


def _winner(client: MlflowClient, parent: Run) -> Run | None:
    """The run of the trial that the study names as its best."""
    number = parent.data.tags.get(tags.BEST)
    if number is None:
        return None
    wanted = f"{runs.has(ROLE='trial', TRIAL=number)} and tags.`{tags.PARENT}` = '{parent.info.run_id}'"
    return runs.fullest(runs.search(client, [parent.info.experiment_id], wanted))


def _replica(client: MlflowClient, parent: Run, confirmation: Mapping[str, Any]) -> Run | None:
    """The run of the replica whose model a confirmation has chosen."""
    wanted = runs.has(ROLE="trial", STUDY_ID=confirmation["study_id"], TRIAL=str(confirmation["replica"]))
    return runs.fullest(runs.search(client, [parent.info.experiment_id], wanted))
