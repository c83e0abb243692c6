"""A fine-tuned model in MLflow's transformers flavour: a folder that loads without autoft."""

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema

from autoft.data.overlap import ROW_DIGESTS, texts_of
from autoft.data.targets import Targets
from autoft.errors import TrackingError
from autoft.tasks.protocol import Served, Task, Values
from autoft.tracking import store
from autoft.tracking.processors import part_of

if TYPE_CHECKING:
    from autoft.study.records import StudyInfo, TrialRecord

TRAINED_ROWS = "trained_rows.npy"
"""In a model's folder: the digests of the rows that it was trained on."""
AUTOFT_TASK = "autoft_task"
"""In a model's metadata: its task here. MLflow's own key `task` names a pipeline."""
_PACKAGES = ("mlflow", "transformers", "torch", "tokenizers", "safetensors")
"""What a process that loads the model must have; MLflow brings pandas and numpy."""


@dataclass(frozen=True)
class FineTuned:
    """The winner's model, rebuilt, with what one must know to use it."""

    task: Task
    """What it was trained for."""
    model: Any
    """A finished transformers model (`Task.finish`)."""
    processor: Any
    """The pretrained tokenizer, or what the task has instead."""
    targets: Targets
    """What the model's answers mean."""
    reference: str
    """The pretrained model as space.yaml names it."""
    values: Values
    """Those of the winning trial."""
    example: pa.Table
    """One row of rows.arrow."""
    trained_rows: np.ndarray
    """Of the rows that it was trained on (`data.overlap.row_digests`), uint64 [n]."""
    refitted: str = ""
    """In sentences, if it was trained again after the trial had its score (`autoft.refit`)."""

    @property
    def served(self) -> Served:
        """How it is called where autoft is not."""
        return self.task.served(self.example, self.targets)


def save_model(path: Path, info: "StudyInfo", trial: "TrialRecord", tuned: FineTuned) -> Model:
    """Writes the model to `path` in MLflow's transformers flavour, without a word of this machine.

    Not by MLflow's `log_model`, which writes the place of a local artifact store into MLmodel. Nothing is
    asked of the internet. Raises TrackingError where there is no room for it.
    """
    import mlflow.transformers
    from transformers import pipeline

    reference = shareable(tuned.reference)
    processor = _processor(tuned, reference)
    tuned.model.config._name_or_path = reference
    tuned.model.name_or_path = ""  # else MLflow asks the hub for a license of that name
    served = tuned.served
    about = {
        "study": info.name,
        "trial": trial.number,
        AUTOFT_TASK: info.task,
        **{each.name: tuned.values[each.name] for each in tuned.task.spec.own if each.encoding},
        "inputs": len(texts_of(tuned.example)[0]),
        "row_digests": ROW_DIGESTS,
    }
    described = Model(metadata=about)
    try:
        mlflow.transformers.save_model(
            pipeline(  # type: ignore[call-overload]  # the task is a name, not a literal
                tuned.task.pipeline_task,
                model=tuned.model.eval(),
                device=tuned.model.device,
                **{part_of(processor): processor},
            ),
            str(path),
            task=tuned.task.pipeline_task,
            mlflow_model=described,
            signature=ModelSignature(_schema(served.inputs), _schema(served.outputs)),
            input_example=served.example,
            pip_requirements=pip_requirements(),
            model_config=dict(served.arguments) or None,
            model_card=_card(info, trial, reference, [tuned.refitted, served.note]),
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


def _processor(tuned: FineTuned, reference: str) -> Any:
    """The processor as it is saved: a tokenizer cuts by itself, and knows nothing of this machine."""
    from transformers import PreTrainedTokenizerBase

    from autoft.tracking.self_truncating import self_truncating

    processor = copy.deepcopy(tuned.processor)
    if not isinstance(processor, PreTrainedTokenizerBase):
        return processor
    processor.name_or_path = reference
    _forget_place(processor)
    return self_truncating(processor, tuned.task.spec.max_length(tuned.values))


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


def _schema(columns: Sequence[Mapping[str, Any]]) -> Schema:
    schema: Schema = Schema.from_json(json.dumps(columns))
    return schema


def _card(info: "StudyInfo", trial: "TrialRecord", reference: str, notes: Sequence[str]) -> Any:
    """The model's card. Given, so that MLflow does not look for one of that name on the internet."""
    from huggingface_hub import ModelCard

    values = "\n".join(f"- {name}: {json.dumps(value)}" for name, value in sorted(trial.values.items()))
    return ModelCard(
        f"---\nlicense: other\n---\n# {info.name}\n\n{reference}, fine-tuned for {info.task}: "
        f"trial {trial.number} of the study {info.name}, {info.objective} {trial.score:.4f} on validation. "
        f"{''.join(f'{note} ' for note in notes if note)}The license of {reference} applies.\n\n{values}\n"
    )
