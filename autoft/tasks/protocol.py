"""What the kernel asks of a task. No base class: what tasks share is functions, in the modules beside."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import torch

from autoft.data.batch import Batch
from autoft.data.encoded import Array, Encoded
from autoft.data.targets import TargetRules, Targets
from autoft.spec.space import Value
from autoft.tasks.breakdown import Breakdown
from autoft.tasks.row_answers import RowAnswer, Suspect

Values = Mapping[str, Value]
"""A trial's values of the hyperparameters that the task declares as its own, by name."""
LossValues = Mapping[str, Value | torch.Tensor]
"""The same to a loss. Where steps are CUDA graphs, each `float` is a float32 scalar on the device; a loss
that makes a Python number of it cannot be captured."""
Outputs = Mapping[str, torch.Tensor]
"""What a model answers to b rows: the fields `Task.output_fields`, [b, ...] each."""
Predictions = Mapping[str, np.ndarray]
"""What the task's metrics need of n rows: small arrays by the task's own names, [n, ...] each."""
Scorable = tuple[Predictions, Mapping[str, Array]]
"""What is predicted for rows, and the targets of the rows as the model took them."""
Answered = tuple[Predictions, Encoded]
"""What is predicted for rows, and the rows as the model took them."""
Model = Callable[[pa.Table, Encoded], Predictions]
"""A fitted baseline: from rows (of rows.arrow), and the same encoded, to what it predicts for them."""
Baseline = Callable[[pa.Table, Encoded, Targets], Iterable[Model]]
"""Fits a simple model on training rows and the same encoded. Where it gives several, the best one counts."""
Features = Any
"""Numbers of n rows or tokens, [n, d]: an array, or of texts a sparse one of scipy's."""
OnFeatures = Callable[[Features, Encoded], Predictions]
"""A fitted model of features: from those of rows, and the rows encoded, to what it predicts for them."""
Linear = Callable[[Features, Encoded, Targets], Iterable[OnFeatures]]
"""Fits linear models of several strengths on the features of training rows."""


@dataclass(frozen=True)
class Served:
    """How others call a finished model: `mlflow.pyfunc`, over the plain pipeline of `Task.pipeline_task`."""

    inputs: Sequence[Mapping[str, Any]]
    """Columns, as the signature in an MLmodel file has them: `{"type": "string", "name": "text"}`, say. One
    without a name may be handed in by itself."""
    outputs: Sequence[Mapping[str, Any]]
    """Likewise."""
    example: Any
    """An input of that form."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """What the pipeline is called with besides."""
    note: str = ""
    """In a sentence, how its answers are read; for the model's card and the version's description."""


class Task(TargetRules, Protocol):
    """One kind of fine-tuning. A batch is `data.batch.collate`'s; outputs are of one forward pass of it.

    Where the limits are: a row's loss and predictions depend on its own outputs (`kernel.trial_context`
    computes a batch in pieces), so a loss that compares the rows of a batch does not fit. And there are no
    predictions by several forward passes, as of a text that is generated: `kernel.trial_context.evaluate` and
    `tasks.predictions` would have to hand the model in, and a decoder could not be cut (`kernel.boundary`).
    """

    auto_model: Any
    """The transformers Auto class whose head fits."""
    output_fields: Sequence[str]
    """What is read of the model's answer, by transformers' names: `logits`, or `start_logits`, `end_logits`.
    The last dimension of each is of the labels, where the targets have names for them."""
    pipeline_task: str
    """What transformers calls the pipeline that a fine-tuned model answers in."""
    baselines: Mapping[str, Baseline]
    """What a fine-tuned model has to beat, by name: `trivial`, which hardly reads a row, and `classical`."""
    linear: Linear
    """The linear model of frozen states, with features of what `tokens_of` says."""

    def config_values(self, targets: Targets) -> dict[str, Any]:
        """What the targets mean for the model's configuration."""

    def output_size(self, targets: Targets) -> int:
        """How many numbers the head gives, of a row or of a token."""

    def load_processor(self, path_or_id: str, **where: Any) -> Any:
        """What turns rows into the model's inputs: a tokenizer, an image processor.

        `where` goes to `from_pretrained`. Raises OSError where its files are missing.
        """

    def fingerprint(self, processor: Any) -> str:
        """Hex digits of everything that decides how it encodes."""

    def encode(self, rows: pa.Table, processor: Any, targets: Targets, values: Values) -> Encoded:
        """All `rows` (of rows.arrow) in numbers; cells are what `spec.inputs` says, of files their bytes.

        Whole numbers reach the model as int64, all others as float32 (`data.batch.collate`): pixels are to be
        scaled here. Stored as float16 they take half the room.
        """

    def weight(self, targets: Mapping[str, Array]) -> float:
        """What the loss of rows with these targets is divided by: rows, tokens, weights; above 0."""

    def loss(self, outputs: Outputs, batch: Batch, values: LossValues) -> torch.Tensor:
        """The sum over what `weight` counts; a float32 scalar.

        The kernel divides it by the weight of the whole step, so the pieces of a batch add up to it. Numbers
        without a gradient, such as those of padding, may be others with stored states.
        """

    def output_bias(self, encoded: Mapping[str, Array]) -> np.ndarray | None:
        """What the bias of a fresh output layer begins with, float32 [outputs]; None leaves it as drawn.

        Args:
            encoded: the training rows' targets.
        """

    def guess_loss(self, targets: Targets) -> float:
        """What `loss` over `weight` comes to for a model that has learned nothing."""

    def predict(self, outputs: Outputs, batch: Batch, targets: Targets) -> Mapping[str, torch.Tensor]:
        """What `score` needs of a batch, [b, ...] each.

        Those of several batches are put together; where rows are of other widths, zeros fill them up.
        """

    def score(
        self, predictions: Predictions, encoded: Mapping[str, Array], targets: Targets
    ) -> dict[str, float]:
        """Every metric of the task, NaN where the predictions are not finite.

        Args:
            predictions: of n rows, as `decide` leaves them or a finished model gives them.
            encoded: their targets [n].
            targets: what was learned.
        """

    def error(self, metric: str, predictions: Predictions, encoded: Mapping[str, Array]) -> float | None:
        """The standard error of one of them, as the rows are a sample; None where it is unknown."""

    def differences(self, metric: str, one: Scorable, other: Scorable, draws: int) -> np.ndarray:
        """How much more of a metric the `one` has than the `other` on samples of the same rows: [draws]."""

    def decide(self, predictions: Predictions, validation: Scorable, objective: str) -> Predictions:
        """The predictions of a model, with what its answers to the validation rows decide for all rows.

        A threshold, for example: the one that is best for the `objective`, a metric of the task. Those of a
        model that was made ready by `finish` have it already.
        """

    def breakdown(
        self, predictions: Predictions, encoded: Mapping[str, Array], targets: Targets
    ) -> Breakdown:
        """What a reader wants to see besides the metrics. Arguments as in `score`."""

    def row_answers(
        self, predictions: Predictions, encoded: Mapping[str, Array], targets: Targets, rows: pa.Table
    ) -> Sequence[RowAnswer]:
        """What is answered to each row, beside its target; none where an answer is not finite.

        Arguments as in `score`, and the rows themselves (of rows.arrow).
        """

    def suspects(
        self, predictions: Predictions, encoded: Mapping[str, Array], targets: Targets
    ) -> Sequence[Suspect]:
        """Rows whose target is likely wrong, the clearest first; none where a task cannot tell.

        Arguments as in `score`.
        """

    def tokens_of(self, batch: Batch) -> torch.Tensor | None:
        """For `linear`: which tokens have features of their own, bool [b, longest]; None: each row has.

        The features of a row are the mean over its tokens.
        """

    def check_model(self, model: Any) -> None:
        """Raises ModelError where a pretrained model with its new head cannot serve this task."""

    def finish(
        self, model: Any, targets: Targets, validation: Callable[[], Answered], objective: str
    ) -> None:
        """Makes a trained model answer alone, and sets what its answers mean.

        What it has learned besides its weights, such as a scale or a threshold, goes into them or into its
        configuration.

        Args:
            model: changed in place.
            targets: what was learned of the target column.
            validation: gives the validation rows and what the model predicts for them.
            objective: the study's metric; see `decide`.

        Raises:
            ModelError: this model cannot be made so.
        """

    def finished(self, targets: Targets, model: Any) -> Targets:
        """By what `predict` reads the answers of a finished model."""

    def pipeline(self, model: Any, processor: Any) -> Any:
        """The transformers pipeline in which a finished model answers."""

    def served(self, example: pa.Table, targets: Targets) -> Served:
        """How it is called where autoft is not.

        Args:
            example: one row (of rows.arrow).
            targets: those of `finished`.
        """
