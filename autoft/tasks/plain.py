"""What a task does that has nothing of its own to do there."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autoft.data.batch import Batch
from autoft.data.encoded import Array
from autoft.data.targets import Targets
from autoft.tasks.protocol import Answered, Predictions, Scorable
from autoft.tasks.row_answers import Suspect


def any_model(model: Any) -> None:
    """Whatever has the task's head serves."""


def drawn_bias(encoded: Mapping[str, Array]) -> None:
    """The output layer begins as it is drawn."""


def whole_rows(batch: Batch) -> None:
    """A row has one target, so it has one set of features."""


def as_predicted(predictions: Predictions, validation: Scorable, objective: str) -> Predictions:
    """Nothing is decided by the validation rows."""
    return predictions


def no_suspects(
    predictions: Predictions, encoded: Mapping[str, Array], targets: Targets
) -> Sequence[Suspect]:
    """The answers do not tell how sure they are."""
    return ()


def keep_model(model: Any, targets: Targets, validation: Callable[[], Answered], objective: str) -> None:
    """It answers alone as it is: its configuration has what its answers mean."""


def keep_targets(targets: Targets, model: Any) -> Targets:
    """The answers of a finished model mean what they meant before."""
    return targets
