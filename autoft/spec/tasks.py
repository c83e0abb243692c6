"""The tasks: what a model can be fine-tuned for, and what belongs to each."""

from collections.abc import Mapping
from dataclasses import dataclass

from autoft.spec.hyperparameters import HYPERPARAMETERS, Hyperparameter
from autoft.spec.metrics import METRICS, Metric


@dataclass(frozen=True)
class Task:
    """A kind of fine-tuning."""

    name: str
    meaning: str
    min_inputs: int
    max_inputs: int
    """Input columns."""
    metrics: Mapping[str, Metric]
    hyperparameters: Mapping[str, Hyperparameter]


TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task(
            "text-classification",
            "one label for a text, or for a pair of texts",
            min_inputs=1,
            max_inputs=2,
            metrics=METRICS,
            hyperparameters=HYPERPARAMETERS,
        ),
    )
}
"""By name."""
