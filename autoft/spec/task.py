"""What a task declares of itself, without torch: enough to read and check a space.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from autoft.spec.hyperparameters import COMMON, Hyperparameter
from autoft.spec.metrics import Metric

Kind = Literal["text", "texts"]
"""What a cell of a column is: a text, or a list of texts."""


@dataclass(frozen=True)
class TaskSpec:
    """A kind of fine-tuning. Each package in `autoft/tasks/` has one as `TASK`."""

    name: str
    """As space.yaml names it."""
    meaning: str
    occurrence: str
    """What occurs in the target: a label, for example. The head of a table of how often each does."""
    max_inputs: int
    """Input columns: from one to so many."""
    metrics: Mapping[str, Metric]
    """By name: what can be the objective."""
    own: tuple[Hyperparameter, ...]
    """Those that not every task has."""
    implementation: str
    """`module:name` of a `tasks.protocol.Task`; imported where it is to run."""
    inputs: Kind = "text"
    target: Kind = "text"
    new_head: bool = True
    """Whether each trial draws the model's head anew even where the checkpoint has one: that of another task
    is no good start. False where it is the pretrained one, as a language model's."""

    @property
    def hyperparameters(self) -> Mapping[str, Hyperparameter]:
        """By name, in the order in which they are shown: those of every task, and its own."""
        return {**COMMON, **{each.name: each for each in self.own}}
