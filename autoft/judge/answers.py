"""What a model answers to the validation rows, kept in a small file: its checkpoint may go then."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np

from autoft.data.encoded import Array, Ragged
from autoft.data.files import replacing
from autoft.tasks.protocol import Predictions


@dataclass(frozen=True)
class Answers:
    """What one trial or replica answers."""

    predictions: Predictions
    """Of n rows."""
    targets: Mapping[str, Array]
    """Of the same rows, as its model took them."""


def path_of(folder: Path, of: Literal["trial", "replica"], number: int) -> Path:
    """The file of one trial or replica; `folder` is its study's."""
    return folder / "answers" / f"{of}-{number:04d}.npz"


def save(path: Path, answers: Answers) -> None:
    """Writes the file, atomically."""
    arrays: dict[str, Any] = {f"predictions {name}": of for name, of in answers.predictions.items()}
    for name, of in answers.targets.items():
        if isinstance(of, Ragged):
            arrays |= {f"values {name}": of.values, f"offsets {name}": of.offsets, f"fill {name}": of.fill}
        else:
            arrays[f"targets {name}"] = of
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def load(path: Path) -> Answers | None:
    """Reads it back; None if there is none, or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {tuple(name.split(" ", 1)): file[name] for name in file.files}
    except (OSError, ValueError, BadZipFile):
        return None
    targets: dict[str, Array] = {name: of for (kind, name), of in arrays.items() if kind == "targets"}
    for kind, name in arrays:
        if kind == "values":
            fill = int(arrays["fill", name])
            targets[name] = Ragged(arrays["values", name], arrays["offsets", name], fill)
    return Answers({name: of for (kind, name), of in arrays.items() if kind == "predictions"}, targets)
