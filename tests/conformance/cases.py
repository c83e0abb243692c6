"""A task and an architecture: what the suite runs over, and the few rows that it runs on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import transformers as hf

from autoft.data.encoded import Encoded
from autoft.data.prepare import Rows, examine
from autoft.spec.space import Value
from autoft.spec.study import DataSpec
from autoft.tasks.find import find_task
from autoft.tasks.protocol import Task

from ..kernel.tiny import tiny_tokenizer
from ..tasks.toys import frame
from .architectures import OF_TOKENS, TEXT, WITHOUT_A_TASK, Architecture

TRAIN_ROWS, VALIDATION_ROWS = 24, 12


@dataclass(frozen=True)
class Case:
    """One of them; without a task where none of autoft's takes such a model yet."""

    name: str
    """Of the architecture."""
    task_name: str = ""
    n_inputs: int = 1

    def __str__(self) -> str:
        pair = "pair" if self.n_inputs == 2 else ""
        return "-".join(filter(None, (self.task_name, pair, self.name)))

    @property
    def task(self) -> Task:
        return find_task(self.task_name)

    @property
    def wanted(self) -> Architecture:
        if not self.task_name:
            return WITHOUT_A_TASK[self.name]
        return (OF_TOKENS if self.task_name == "token-classification" else TEXT)[self.name]

    @property
    def rows(self) -> Rows:
        return _rows(self.task_name, self.n_inputs)

    @property
    def values(self) -> Mapping[str, Value]:
        """Of the task's own hyperparameters."""
        return self.task.spec.cut_at(self.task.spec.own_defaults, 16)

    @property
    def encoded(self) -> Encoded:
        """The training rows."""
        return _encoded(self.task_name, self.n_inputs)

    def model(self) -> hf.PreTrainedModel:
        """With the task's head."""
        if not self.task_name:
            return self.wanted.build()
        return self.wanted.build(self.task.auto_model, **self.task.config_values(self.rows.targets))


@cache
def _rows(task_name: str, n_inputs: int) -> Rows:
    frames = {
        split: frame(task_name, count, seed)
        for seed, (split, count) in enumerate({"train": TRAIN_ROWS, "validation": VALIDATION_ROWS}.items())
    }
    for each in frames.values():
        each["other"] = each["input"].iloc[::-1].tolist()
    spec = DataSpec(inputs=("input", "other")[:n_inputs], target="target")
    return examine(spec, find_task(task_name), frames)


@cache
def _encoded(task_name: str, n_inputs: int) -> Encoded:
    case = Case("bert", task_name, n_inputs)
    tokenizer: Any = tiny_tokenizer()
    return case.task.encode(case.rows.tables["train"], tokenizer, case.rows.targets, case.values)


def few(encoded: Encoded, count: int) -> np.ndarray:
    """Rows of different lengths."""
    order = np.argsort(encoded.lengths, kind="stable")
    return order[np.linspace(0, len(order) - 1, count).astype(int)]


BIASLESS = ("gpt2", "llama", "mixtral", "opt", "gpt-neox", "qwen3", "openai-gpt")
REFUSED = {
    **{
        Case(name, "token-classification"): "transformers has no head for this task on this architecture"
        for name in TEXT
        if name not in OF_TOKENS
    },
    **{
        Case(name, "text-regression"): "has no bias, so it cannot give numbers around a mean"
        for name in BIASLESS
    },
}
"""What a task refuses, with the reason."""
CLASSIFICATION = [Case(name, "text-classification") for name in TEXT]
PAIRS = [Case(name, "text-classification", 2) for name in TEXT]
OTHERS = [
    case
    for task_name in ("multi-label", "text-regression", "token-classification")
    for name in TEXT
    if (case := Case(name, task_name)) not in REFUSED
]
TASKS = [*CLASSIFICATION, *PAIRS, *OTHERS]
ALL = [*TASKS, *(Case(name) for name in WITHOUT_A_TASK)]
