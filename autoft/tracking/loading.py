"""A registered model, loaded: the winner's as a pipeline, and how a version was trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts, list_artifacts
from mlflow.models import Model

from autoft.data.overlap import ROW_DIGESTS
from autoft.errors import StudyError
from autoft.spec.space import Value
from autoft.spec.tasks import HYPERPARAMETERS, TASKS
from autoft.tasks.find import find_task
from autoft.tracking import store, tags
from autoft.tracking.processors import processor_of
from autoft.tracking.retrieval import Best, MissingVersionError, best, connect, source_of
from autoft.tracking.saving import AUTOFT_TASK, TRAINED_ROWS


def load_best_model(study: str, tracking_uri: str | None = None) -> Any:
    """The winner as a transformers pipeline of its task, which truncates long texts by itself.

    Raises:
        StudyError: no such study, or its winner is not registered yet.
        TrackingError: the store does not answer.
    """
    where = store.resolve(tracking_uri)
    winner = best(study, where)
    if winner.model_uri is None:
        raise _missing(connect(where), where, winner)
    _, name, version = winner.model_uri.rsplit("/", 2)
    return load_version(where, name, int(version))


def _missing(client: MlflowClient, where: str, winner: Best) -> StudyError:
    """The error that says why there is no model."""
    claimed = client.get_run(winner.run_id).data.tags.get(tags.MODEL_URI)
    if claimed is None:
        return StudyError(
            f"the best trial of {winner.study!r} ({winner.trial}) is not registered yet; "
            "run `autoft search` again: it registers the winner when the budget is met"
        )
    _, name, version = claimed.rsplit("/", 2)
    try:
        there = f"its files are not at {store.redact(source_of(where, name, int(version)))}"
    except MissingVersionError:
        there = "MLflow has it no longer"
    return StudyError(
        f"the best trial of {winner.study!r} ({winner.trial}) was registered as {claimed}, but {there}; "
        f"bring them back, or publish the model again with: autoft sync {winner.study}"
    )


def load_version(uri: str | None, name: str, version: int) -> Any:
    """A version of a registered model as a transformers pipeline.

    Raises:
        MissingVersionError: it was deleted.
        TrackingError: the store does not answer, or the model does not load.
    """
    where = store.resolve(uri)
    with TemporaryDirectory() as folder, store.clear_errors(where):
        source = source_of(where, name, version)
        return load_quietly(download_artifacts(source, dst_path=folder, tracking_uri=where))


@dataclass(frozen=True)
class Training:
    """What is known about how a registered version was trained."""

    task: str
    inputs: int
    """Input columns: 1, or 2 for a pair."""
    values: Mapping[str, Value]
    """Of the task's own hyperparameters, those that decide how rows are encoded."""
    rows: np.ndarray
    """Digests of the rows that it was trained on (`data.overlap.row_digests`)."""


def read_training(uri: str | None, name: str, version: int) -> Training | None:
    """How a version was trained; None if it does not say so in a way that this autoft understands.

    Only small files are read, and no code that comes with the model runs.

    Raises:
        MissingVersionError: it was deleted.
        TrackingError: the store does not answer.
    """
    where = store.resolve(uri)
    with TemporaryDirectory() as folder, store.clear_errors(where):
        source = source_of(where, name, version)
        there = {Path(file.path).name for file in list_artifacts(source, tracking_uri=where)}
        if not {"MLmodel", TRAINED_ROWS} <= there:
            return None
        described, rows = (
            download_artifacts(f"{source}/{file}", dst_path=folder, tracking_uri=where)
            for file in ("MLmodel", TRAINED_ROWS)
        )
        model = Model.load(described)
        about = model.metadata or {}
        if about.get("row_digests") != ROW_DIGESTS or "transformers" not in model.flavors:
            return None
        return Training(
            task=about.get(AUTOFT_TASK, model.flavors["transformers"]["task"]),
            inputs=about["inputs"],
            values={name: about[name] for name in HYPERPARAMETERS.keys() & about.keys()},
            rows=np.load(rows, allow_pickle=False),
        )


def load_quietly(path: str) -> Any:
    """The transformers pipeline that is saved at `path`, without a progress bar.

    It answers as its task means it, unless that is the task of a package that is not installed here.
    """
    import mlflow.transformers
    from transformers.utils import logging as transformers_logging

    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        loaded = mlflow.transformers.load_model(path)
    finally:
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
    task = (Model.load(path).metadata or {}).get(AUTOFT_TASK, "")
    return loaded if task not in TASKS else find_task(task).pipeline(loaded.model, processor_of(loaded))
