"""What all trials of a study share, and its rows as one of its models takes them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import transformers

from autoft.data.encoded import Encoded, stored
from autoft.data.files import hasher, read_table
from autoft.data.prepare import PreparedData
from autoft.data.targets import Targets
from autoft.kernel.boundary.plan import CachePlan
from autoft.kernel.pretrained import ModelSource, Pretrained, load_pretrained
from autoft.spec.study import StudySpec
from autoft.tasks.find import find_task
from autoft.tasks.protocol import Task, Values


@dataclass(frozen=True)
class StudyInputs:
    """What all trials of a study share. Small and picklable: paths and names, no tensors."""

    models: tuple[ModelSource, ...]
    """Those that a trial's `model` can name."""
    rows: Path
    """rows.arrow of the prepared data."""
    rows_digest: str
    targets: Targets
    """What the task has learned of the target column."""
    cache: Path
    """Folder for encoded rows, shared by the node's workers."""
    task_name: str
    cpus: int
    """Threads of a trial."""
    values: Values
    """Of the task's own hyperparameters, by which models are examined: `StudySpec.own_values`."""
    gpu_share: float = 1.0
    """Of one GPU's memory, where a trial gets a part of a GPU."""
    cache_plan: CachePlan = field(default_factory=CachePlan)
    """What is kept at boundaries; the study's."""
    train_on_all: bool = False
    """Whether a trial is trained on the validation rows too; its measurements then tell nothing."""

    @staticmethod
    def of(spec: StudySpec, prepared: PreparedData) -> "StudyInputs":
        """A study's, without models: each node resolves these for itself."""
        return StudyInputs(
            models=(),
            rows=prepared.rows_path,
            rows_digest=prepared.rows_digest,
            targets=prepared.targets,
            cache=prepared.folder,
            task_name=spec.task,
            cpus=spec.resources.cpus_per_trial,
            values=spec.own_values,
            gpu_share=spec.resources.gpus_per_trial or 1.0,
        )

    @property
    def task(self) -> Task:
        """The study's."""
        return find_task(self.task_name)

    def model(self, name: str) -> ModelSource:
        """The source that a trial's `model` names."""
        return next(model for model in self.models if model.name == name)

    def load(self, name: str) -> Pretrained:
        """The model that a trial's `model` names, examined on the study's rows.

        Raises:
            ModelError: as `load_pretrained`.
            DataError: the rows cannot be read.
        """
        rows = read_table(self.rows)
        return load_pretrained(self.model(name), self.targets, self.task, rows, self.values)

    def splits(self) -> Mapping[str, np.ndarray]:
        """The rows that are trained and measured on, as indices into all of them: int64 [n]."""
        of_row = read_table(self.rows).column("split").to_numpy()
        splits = {str(split): np.flatnonzero(of_row == split) for split in dict.fromkeys(of_row)}
        return {**splits, "train": np.arange(len(of_row))} if self.train_on_all else splits

    def encoded(self, processor: Any, values: Values) -> tuple[str, Encoded]:
        """All rows in numbers, and a key that names them by all that decides their content.

        Encoded once on a node: one process encodes while the others wait.

        Args:
            processor: the model's tokenizer, or what stands for it.
            values: of the task's own hyperparameters; those that decide how rows are encoded count.

        Raises:
            DataError: the rows cannot be read.
        """
        task = self.task
        deciding = {each.name: values[each.name] for each in task.spec.own if each.encoding}
        parts = [
            "autoft encoded 1",
            self.rows_digest,
            task.spec.name,
            task.fingerprint(processor),
            dict(self.targets),
            deciding,
            [transformers.__version__, tokenizers.__version__],
        ]
        key = hasher()
        key.update(json.dumps(parts, sort_keys=True).encode())
        path = self.cache / f"encoded-{key.hexdigest()}.arrow"
        return path.stem, stored(
            path, lambda: task.encode(read_table(self.rows), processor, self.targets, deciding)
        )
