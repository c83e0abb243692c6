"""What a task declares of itself, without torch: enough to read and check a space.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from autoft.spec.hyperparameters import COMMON, MAX_LENGTH, Hyperparameter
from autoft.spec.metrics import Metric
from autoft.spec.space import Value

Kind = Literal["text", "texts", "file"]
"""What a cell of a column is: a text, a list of texts, or a file, which rows hold as its bytes."""


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

    @property
    def own_defaults(self) -> dict[str, Value]:
        """Its own hyperparameters at their defaults, by name."""
        return {each.name: each.default for each in self.own}

    def cut_at(self, values: Mapping[str, Value], max_length: int | None) -> dict[str, Value]:
        """`values` of its own hyperparameters, with rows cut at so many tokens; None where it cuts none."""
        return {**values} if max_length is None else {**values, MAX_LENGTH.name: max_length}

    def max_length(self, values: Mapping[str, Value]) -> int | None:
        """At how many tokens rows are cut by `values`; None where it cuts none."""
        limit = values.get(MAX_LENGTH.name)
        return None if limit is None else int(limit)
