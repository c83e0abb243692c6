"""A fine-tuned model in MLflow's transformers flavour: a folder that loads without autoft."""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema

from autoft.data.overlap import ROW_DIGESTS, texts_of
from autoft.data.targets import Targets
from autoft.errors import TrackingError
from autoft.tasks.protocol import Task
from autoft.tracking import store

if TYPE_CHECKING:
    from autoft.study.records import StudyInfo, TrialRecord

TRAINED_ROWS = "trained_rows.npy"
"""In a model's folder: the digests of the rows that it was trained on."""
AUTOFT_TASK = "autoft_task"
"""In a model's metadata: its task here. MLflow's own key `task` names a pipeline."""
_OF_TOKENS = "token-classification"
"""What transformers calls the pipeline for tokens."""
_PACKAGES = ("mlflow", "transformers", "torch", "tokenizers", "safetensors")
"""What a process that loads the model must have; MLflow brings pandas and numpy."""


@dataclass(frozen=True)
class FineTuned:
    """The winner's model, rebuilt, with what one must know to use it."""

    task: Task
    """What it was trained for."""
    model: Any
    """A finished transformers model (`Task.finish`)."""
    tokenizer: Any
    """The pretrained tokenizer."""
    targets: Targets
    """What the model's answers mean."""
    reference: str
    """The pretrained model as space.yaml names it."""
    max_length: int
    """Tokens a row in the winning trial; longer rows are cut."""
    example: pa.Table
    """One row of rows.arrow."""
    trained_rows: np.ndarray
    """Of the rows that it was trained on (`data.overlap.row_digests`), uint64 [n]."""
    refitted: str = ""
    """In sentences, if it was trained again after the trial had its score (`autoft.refit`)."""


def save_model(path: Path, info: "StudyInfo", trial: "TrialRecord", tuned: FineTuned) -> Model:
    """Writes the model to `path` in MLflow's transformers flavour, without a word of this machine.

    Not by MLflow's `log_model`, which writes the place of a local artifact store into MLmodel. Nothing is
    asked of the internet. Raises TrackingError where there is no room for it.
    """
    import mlflow.transformers
    from transformers import pipeline

    from autoft.tracking.self_truncating import self_truncating

    reference = shareable(tuned.reference)
    tokenizer = copy.deepcopy(tuned.tokenizer)
    tuned.model.config._name_or_path = tokenizer.name_or_path = reference
    tuned.model.name_or_path = ""  # else MLflow asks the hub for a license of that name
    _forget_place(tokenizer)
    texts = texts_of(tuned.example)[0]
    signature, example = _signature(texts, tuned.task)
    about = {
        "study": info.name,
        "trial": trial.number,
        AUTOFT_TASK: info.task,
        "max_length": tuned.max_length,
        "inputs": len(texts),
        "row_digests": ROW_DIGESTS,
    }
    described = Model(metadata=about)
    try:
        mlflow.transformers.save_model(
            pipeline(  # type: ignore[call-overload]  # the task is a name, not a literal
                tuned.task.pipeline_task,
                model=tuned.model.eval(),
                tokenizer=self_truncating(tokenizer, tuned.max_length),
                device=tuned.model.device,
            ),
            str(path),
            task=tuned.task.pipeline_task,
            mlflow_model=described,
            signature=signature,
            input_example=example,
            pip_requirements=pip_requirements(),
            model_config=_pyfunc_arguments(tuned.task),
            model_card=_card(info, trial, reference, tuned.refitted),
        )
    except OSError as error:
        raise TrackingError(
            f"the winner's model cannot be written to {path.parent} before it is uploaded: "
            f"{store.first_line(error)}. Make room there, or set TMPDIR to a folder that has some."
        ) from error
    tuned.model.name_or_path = described.flavors["transformers"]["source_model_name"] = reference
    np.save(path / TRAINED_ROWS, tuned.trained_rows)
    (path / "LICENSE.txt").write_text(f"A fine-tuned {reference}: the license of that model applies.\n")
    return described


def shareable(reference: str) -> str:
    """A model reference as artifacts may show it: a folder's place on this machine is cut to its name.

    >>> shareable("/home/me/models/minilm"), shareable("./minilm"), shareable("org/name")
    ('minilm', './minilm', 'org/name')
    """
    outside = reference.startswith(("/", "~", "\\", "..")) or reference[1:2] == ":"
    return PurePath(reference.replace("\\", "/")).name if outside else reference


def pip_requirements() -> list[str]:
    """What the model needs to run, at the versions that made it."""
    return [f"{name}=={version(name).partition('+')[0]}" for name in _PACKAGES]


def _forget_place(tokenizer: Any) -> None:
    """Leaves out of the saved tokenizer how it was found here, and habits baked in for another use."""
    for key in (
        "is_local",
        "local_files_only",
        "max_length",
        "stride",
        "truncation_strategy",
        "pad_to_multiple_of",
    ):
        tokenizer.init_kwargs.pop(key, None)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        backend.no_truncation()
        backend.no_padding()


def _signature(example: Sequence[str], task: Task) -> tuple[ModelSignature, Any]:
    """Inputs, outputs and an example row.

    One text column has no name: pyfunc then takes a string, a list of them, or a frame with the column
    `text`. A pair has the columns `text` and `text_pair`.
    """
    outputs = Schema([ColSpec("string", "label"), ColSpec("double", "score")])
    if task.pipeline_task == _OF_TOKENS:
        outputs = Schema([ColSpec("string")])
    if len(example) == 1:
        return ModelSignature(inputs=Schema([ColSpec("string")]), outputs=outputs), [example[0]]
    names = ("text", "text_pair")
    inputs = Schema([ColSpec("string", name) for name in names])
    return ModelSignature(inputs=inputs, outputs=outputs), dict(zip(names, example, strict=True))


def _pyfunc_arguments(task: Task) -> dict[str, Any] | None:
    """How MLflow's pyfunc calls the pipeline.

    Of a text's tokens it gives the tags, joined by commas. Without those of tokens that are in no entity, as
    the pipeline has it by default, it would not tell where the others are, and fail on texts without any.
    """
    return {"ignore_labels": []} if task.pipeline_task == _OF_TOKENS else None


def _card(info: "StudyInfo", trial: "TrialRecord", reference: str, refitted: str) -> Any:
    """The model's card. Given, so that MLflow does not look for one of that name on the internet."""
    from huggingface_hub import ModelCard

    values = "\n".join(f"- {name}: {json.dumps(value)}" for name, value in sorted(trial.values.items()))
    return ModelCard(
        f"---\nlicense: other\n---\n# {info.name}\n\n{reference}, fine-tuned for {info.task}: "
        f"trial {trial.number} of the study {info.name}, {info.objective} {trial.score:.4f} on validation. "
        f"{refitted and f'{refitted} '}The license of {reference} applies.\n\n{values}\n"
    )
