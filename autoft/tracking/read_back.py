"""What was written to an artifact store is read back before anybody is told that it is there."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from mlflow.artifacts import download_artifacts

from autoft.data.rows import SHOWN
from autoft.errors import TrackingError
from autoft.tasks.predictions import predictions
from autoft.tasks.protocol import Predictions
from autoft.tracking import store
from autoft.tracking.retrieval import load_quietly
from autoft.tracking.saving import TRAINED_ROWS, FineTuned

SAME = 1e-3
"""What predictions may differ by: the model that comes back may be on a GPU."""


def require_same_model(location: str, where: str, tuned: FineTuned) -> None:
    """Downloads the model at `location` of the store at `where`, and has it answer the example row.

    Raises TrackingError where it does not answer as `tuned` does, and what MLflow raises.
    """
    with TemporaryDirectory() as folder:
        path = download_artifacts(location, dst_path=folder, tracking_uri=where)
        back = load_quietly(path)
        rows = np.load(Path(path) / TRAINED_ROWS, allow_pickle=False)
    labels = [model.config.id2label for model in (back.model, tuned.model)]
    there, here = (_answer(each.model, each.tokenizer, tuned) for each in (back, tuned))
    if labels[0] != labels[1] or not _same(there, here) or not np.array_equal(rows, tuned.trained_rows):
        raise TrackingError(
            f"tracking.uri: the model that comes back from the MLflow store at {store.redact(where)} is not "
            f"the one that was written: it gives the first row {_shown(there)}, not {_shown(here)}. "
            "Look at the artifact store, then run the same command again"
        )


def _answer(model: Any, tokenizer: Any, tuned: FineTuned) -> Predictions:
    """What is predicted for the example row."""
    values = {"max_length": tuned.max_length}
    answer, _ = predictions(tuned.task, model, tokenizer, tuned.example, tuned.targets, values)
    return answer


def _same(there: Predictions, here: Predictions) -> bool:
    return all(
        there[name].shape == answer.shape and np.allclose(there[name], answer, rtol=SAME, atol=SAME)
        for name, answer in here.items()
    )


def _shown(answer: Predictions) -> str:
    numbers = np.concatenate([array.ravel() for array in answer.values()])[:SHOWN]
    return f"[{', '.join(f'{number:.4f}' for number in numbers.tolist())}]"
