"""What was written to an artifact store is read back before anybody is told that it is there."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from mlflow.artifacts import download_artifacts

from autoft.data.batch import collate
from autoft.data.rows import SHOWN
from autoft.errors import TrackingError
from autoft.tasks.outputs import outputs_of
from autoft.tracking import store
from autoft.tracking.loading import load_quietly
from autoft.tracking.processors import processor_of
from autoft.tracking.saving import TRAINED_ROWS, FineTuned

SAME = 1e-3
"""What outputs may differ by, of the largest one or of 1: the model that comes back may be on a GPU."""


def require_same_model(location: str, where: str, tuned: FineTuned) -> None:
    """Downloads the model at `location` of the store at `where`, and has it answer the example row.

    Raises TrackingError where it does not answer as `tuned` does, and what MLflow raises.
    """
    with TemporaryDirectory() as folder:
        path = download_artifacts(location, dst_path=folder, tracking_uri=where)
        back = load_quietly(path)
        rows = np.load(Path(path) / TRAINED_ROWS, allow_pickle=False)
    labels = [model.config.id2label for model in (back.model, tuned.model)]
    there = _outputs(back.model, processor_of(back), tuned)
    here = _outputs(tuned.model, tuned.processor, tuned)
    if labels[0] != labels[1] or not _same(there, here) or not np.array_equal(rows, tuned.trained_rows):
        raise TrackingError(
            f"tracking.uri: the model that comes back from the MLflow store at {store.redact(where)} is not "
            f"the one that was written: it gives the first row {_shown(there)}, not {_shown(here)}. "
            "Look at the artifact store, then run the same command again"
        )


@torch.no_grad()
def _outputs(model: Any, processor: Any, tuned: FineTuned) -> np.ndarray:
    """What the task reads of the model's answer to the example row, one number after the other."""
    encoded = tuned.task.encode(tuned.example, processor, tuned.targets, tuned.values)
    inputs = collate(encoded, np.array([0])).to(model.device).inputs
    outputs = outputs_of(tuned.task, model.eval(), inputs)
    return np.concatenate([each[0].float().cpu().numpy().ravel() for each in outputs.values()])


def _same(there: np.ndarray, here: np.ndarray) -> bool:
    return there.shape == here.shape and np.allclose(there, here, rtol=0, atol=SAME * max(1, abs(here).max()))


def _shown(outputs: np.ndarray) -> str:
    return f"[{', '.join(f'{number:.4f}' for number in outputs[:SHOWN].tolist())}]"
