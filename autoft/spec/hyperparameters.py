"""The hyperparameters: type, default, bounds, default search range, meaning, and what depends on them.

The one place where they are declared: parser, `autoft explain`, `autoft schema`, a trial's configuration and
a study's identity follow. Those of every task are the fields of `Common`; a task adds its own in its
declaration.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, Literal

from autoft.spec.space import Choice, Range, Value
from autoft.spec.wording import any_of, got, is_number, must_be_one_of, nearest, number

Kind = Literal["float", "int", "choice", "depth"]
"""A `depth` is a whole number or `all`."""
Depth = int | Literal["all"]
ALL = "all"
"""The unfreeze depth that trains everything, with the embeddings."""


class Cost(IntEnum):
    """What of a step's memory and seconds a hyperparameter decides; in comparisons the first counts most."""

    NOTHING = 0
    BLOCKS = 1
    """How many are trained."""
    ROW = 2
    """The size of a row."""
    ROWS = 3
    """How many make a step; where memory is short, fewer are computed at a time."""
    STATE = 4
    """What the optimizer keeps of each trained parameter."""


@dataclass(frozen=True)
class Hyperparameter:
    """One value that a trial needs. Numbers have bounds, choices have names."""

    name: str
    kind: Kind
    default: Value
    meaning: str
    low: float = 0
    high: float = 0
    low_open: bool = False
    """Whether `low` itself is not allowed."""
    high_open: bool = False
    choices: tuple[str, ...] = ()
    encoding: bool = False
    """Whether it decides how rows are encoded."""
    searched: Choice | Range | None = None
    """The domain that is searched where the user does not mention this hyperparameter. Those of depth and
    learning rate stand in until the models are known (`default_domains.fit_domains`)."""
    by_ratio: bool = False
    """Whether the distance of two values is their ratio: twice as much is as far as half as much."""
    cost: Cost = Cost.NOTHING
    sizes: tuple[float, ...] = ()
    """What each of its choices costs, in any unit, where it has both choices and a cost."""

    @property
    def integer(self) -> bool:
        """Whether its numbers are whole; decides how a range is read."""
        return self.kind in ("int", "depth")

    @property
    def takes(self) -> str:
        """What it can be set to, in words.

        >>> COMMON["dropout"].takes
        'a number from 0 to below 1'
        """
        if self.kind == "choice":
            return any_of(self.choices)
        low = f"above {number(self.low)} up" if self.low_open else f"from {number(self.low)}"
        high = f"below {number(self.high)}" if self.high_open else number(self.high)
        numbers = f"{'a whole number' if self.integer else 'a number'} {low} to {high}"
        return f"{numbers}, or {ALL}" if self.kind == "depth" else numbers

    def size(self, value: Value) -> float:
        """A number that grows with what `value` costs.

        >>> COMMON["optimizer"].size("sgd"), COMMON["unfreeze_depth"].size("all")
        (1, inf)
        """
        if self.kind == "choice":
            return self.sizes[self.choices.index(str(value))]
        return math.inf if value == ALL else float(value)

    def typed(self, value: Value) -> Value:
        """`value` in its own type; not checked, since an earlier version may have had other bounds."""
        if isinstance(value, str):
            return value
        return int(value) if self.integer else float(value)

    def check(self, value: object) -> Value:
        """`value` in this hyperparameter's own type: `32.0` is 32 where numbers are whole.

        Raises ValueError with the rule and the value where it cannot be set to `value`.

        >>> COMMON["batch_size"].check(16.0)
        16
        """
        if self.kind == "choice":
            if isinstance(value, str) and value in self.choices:
                return value
            raise ValueError(must_be_one_of(value, self.choices))
        if self.kind == "depth" and isinstance(value, str):
            if value == ALL:
                return value
            if nearest(value, (ALL,)):
                raise ValueError(f"must be {self.takes}, got {got(value)}; did you mean {ALL!r}?")
        return self.check_number(value)

    def check_number(self, value: object) -> int | float:
        """`value` as a number within the bounds; raises ValueError with the rule and the value."""
        wrong = ValueError(f"must be {self.takes}, got {got(value)}")
        if isinstance(value, str) and is_number(value):
            raise ValueError(f"must be {self.takes}, got the text {got(value)}; remove the quotes")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong
        # Compared before converted: YAML writes integers that no float can hold, and NaN fails here too.
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        if not (above and below) or (self.integer and value != int(value)):
            raise wrong
        return int(value) if self.integer else float(value)


def hyperparameter(default: Value, meaning: str, **nature: Any) -> Any:
    """A field of `Common`; `nature` is what else `Hyperparameter` holds."""
    return field(default=default, metadata={"default": default, "meaning": meaning, **nature})


@dataclass(frozen=True, kw_only=True)
class Common:
    """A trial's values of the hyperparameters of every task, and the declaration of these."""

    learning_rate: float = hyperparameter(
        5e-5,
        "peak learning rate of the optimizer",
        low=0,
        high=1,
        low_open=True,
        searched=Range(1e-5, 1e-3, integer=False, log=True),
        by_ratio=True,
    )
    unfreeze_depth: Depth = hyperparameter(  # noqa: RUF009 - it makes a field
        ALL,
        "how many top blocks are trained: 0 trains the head alone, all trains everything with the embeddings",
        low=0,
        high=1000,
        searched=Choice((0, ALL)),
        cost=Cost.BLOCKS,
    )
    dropout: float = hyperparameter(
        0.1,
        "dropout probability in the trained blocks and the head; frozen blocks never drop",
        low=0,
        high=1,
        high_open=True,
        searched=Range(0.0, 0.4, integer=False),
    )
    weight_decay: float = hyperparameter(
        0.01,
        "weight decay of the optimizer, decoupled in AdamW and Adafactor; not on biases and norms",
        low=0,
        high=10,
        searched=Range(1e-4, 0.3, integer=False, log=True),
        by_ratio=True,
    )
    optimizer: str = hyperparameter(
        "adamw",
        "AdamW; Adafactor, which needs less memory; or SGD with momentum, which needs higher rates",
        choices=("adamw", "adafactor", "sgd"),
        cost=Cost.STATE,
        sizes=(2, 0, 1),
    )
    layer_decay: float = hyperparameter(
        1.0,
        "learning rate of a block over that of the block above it; the head has the full rate",
        low=0,
        high=1,
        low_open=True,
    )
    batch_size: int = hyperparameter(
        32, "rows in one optimizer step", low=1, high=65536, by_ratio=True, cost=Cost.ROWS
    )
    batching: str = hyperparameter(
        "random",
        "which rows make a batch: any, or groups of rows of like length, which need less padding",
        choices=("random", "by_length"),
    )
    epochs: int = hyperparameter(
        6, "passes over the training rows in a full trial", low=1, high=10000, by_ratio=True
    )
    """The learning rate's schedule spans them all, also where the trial ends before."""
    early_stopping: float = hyperparameter(
        0.0,
        "a trial ends when its objective has not improved for so many epochs; 0 never ends it early",
        low=0,
        high=10000,
    )
    warmup_ratio: float = hyperparameter(
        0.1, "share of the steps over which the learning rate rises from 0", low=0, high=1
    )
    lr_schedule: str = hyperparameter(
        "linear",
        "how the learning rate goes on after the warmup: down to 0 in a line or a cosine, or not at all",
        choices=("linear", "cosine", "constant"),
    )
    max_grad_norm: float = hyperparameter(
        1.0, "the gradient's L2 norm is clipped to this; 0 does not clip", low=0, high=1e6
    )


_KINDS: Mapping[Any, Kind] = {float: "float", int: "int", str: "choice", Depth: "depth"}

COMMON: Mapping[str, Hyperparameter] = {
    each.name: Hyperparameter(each.name, _KINDS[each.type], **each.metadata) for each in fields(Common)
}
"""Those of every task, by name, in the order in which they are shown, sampled and compared."""

MAX_LENGTH = Hyperparameter(
    "max_length",
    "int",
    128,
    "tokens kept of a row, special tokens included; longer rows are cut",
    4,
    1048576,
    encoding=True,
    cost=Cost.ROW,
)
"""Of tasks whose rows are of tokens. A task without it has rows that are never cut."""

LABEL_SMOOTHING = Hyperparameter(
    "label_smoothing",
    "float",
    0.0,
    "share of the target probability that is spread over all labels",
    0,
    1,
    high_open=True,
)
"""Of tasks that give one label."""
