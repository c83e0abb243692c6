"""The hyperparameters: their nature, bounds, default and default search range.

The one source for the parser, `autoft explain`, `autoft schema` and the values of a trial. Those of every
task are `COMMON`; a task adds its own in its declaration.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from autoft.spec.space import Choice, Range, Value
from autoft.spec.wording import any_of, got, is_number, must_be_one_of, nearest, number

ALL = "all"
"""The unfreeze depth that trains everything, with the embeddings."""


@dataclass(frozen=True)
class Hyperparameter:
    """One value that a trial needs. Numbers have bounds, choices have names."""

    name: str
    kind: Literal["float", "int", "choice", "depth"]
    """A `depth` is a whole number or `all`."""
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
    """The domain that is searched where the user does not mention this hyperparameter."""

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


_COMMON = (
    Hyperparameter(
        "learning_rate",
        "float",
        5e-5,
        "peak learning rate of the optimizer",
        0,
        1,
        low_open=True,
        searched=Range(1e-5, 1e-3, integer=False, log=True),
    ),
    Hyperparameter(
        "unfreeze_depth",
        "depth",
        ALL,
        "how many top blocks are trained: 0 trains the head alone, all trains everything with the embeddings",
        0,
        1000,
        searched=Choice((0, 1, 2, 4, ALL)),
    ),
    Hyperparameter(
        "dropout",
        "float",
        0.1,
        "dropout probability in the trained blocks and the head; frozen blocks never drop",
        0,
        1,
        high_open=True,
        searched=Range(0.0, 0.4, integer=False),
    ),
    Hyperparameter(
        "weight_decay",
        "float",
        0.01,
        "weight decay of the optimizer, decoupled in AdamW and Adafactor; not on biases and norms",
        0,
        10,
        searched=Range(1e-4, 0.3, integer=False, log=True),
    ),
    Hyperparameter(
        "optimizer",
        "choice",
        "adamw",
        "AdamW; Adafactor, which needs less memory; or SGD with momentum, which needs higher rates",
        choices=("adamw", "adafactor", "sgd"),
    ),
    Hyperparameter(
        "layer_decay",
        "float",
        1.0,
        "learning rate of a block over that of the block above it; the head has the full rate",
        0,
        1,
        low_open=True,
    ),
    Hyperparameter("batch_size", "int", 32, "rows in one optimizer step", 1, 65536),
    Hyperparameter(
        "batching",
        "choice",
        "random",
        "which rows make a batch: any, or groups of rows of like length, which need less padding",
        choices=("random", "by_length"),
    ),
    Hyperparameter("epochs", "int", 6, "passes over the training rows in a full trial", 1, 10000),
    Hyperparameter(
        "early_stopping",
        "float",
        0.0,
        "a trial ends when its objective has not improved for so many epochs; 0 never ends it early",
        0,
        10000,
    ),
    Hyperparameter(
        "warmup_ratio", "float", 0.1, "share of the steps over which the learning rate rises from 0", 0, 1
    ),
    Hyperparameter(
        "lr_schedule",
        "choice",
        "linear",
        "how the learning rate goes on after the warmup: down to 0 in a line or a cosine, or not at all",
        choices=("linear", "cosine", "constant"),
    ),
    Hyperparameter(
        "max_grad_norm", "float", 1.0, "the gradient's L2 norm is clipped to this; 0 does not clip", 0, 1e6
    ),
)

COMMON: Mapping[str, Hyperparameter] = {each.name: each for each in _COMMON}
"""Those of every task, by name, in the order in which they are shown, sampled and compared."""

MAX_LENGTH = Hyperparameter(
    "max_length",
    "int",
    128,
    "tokens kept of a row, special tokens included; longer rows are cut",
    4,
    1048576,
    encoding=True,
)
"""Of tasks on texts."""

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
