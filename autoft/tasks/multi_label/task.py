"""Multi-label classification: its labels, loss and metrics, and above which threshold a label is given."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch.nn import functional
from transformers import AutoModelForSequenceClassification

from autoft.data.alike import alike_labels
from autoft.data.batch import Batch
from autoft.data.encoded import Array, Encoded
from autoft.data.rows import Cell, RawSplit, elements
from autoft.data.targets import Targets
from autoft.data.text import tokenizer_fingerprint
from autoft.errors import DataError
from autoft.tasks import classification, plain, resampling, row_answers
from autoft.tasks.breakdown import Breakdown
from autoft.tasks.by_label import by_label, calibration
from autoft.tasks.label_sets import known_labels, rarest_strata
from autoft.tasks.linear import classifiers, on_texts
from autoft.tasks.multi_label import TASK
from autoft.tasks.multi_label.metrics import metric_of, metrics_of
from autoft.tasks.multi_label.pipeline import MultiLabelPipeline
from autoft.tasks.multi_label.threshold import best_threshold
from autoft.tasks.outputs import LOGITS
from autoft.tasks.protocol import (
    Answered,
    Features,
    LossValues,
    Model,
    OnFeatures,
    Outputs,
    Predictions,
    Scorable,
    Served,
    Values,
)
from autoft.tasks.row_answers import RowAnswer, Suspect
from autoft.tasks.text import encode_texts, load_tokenizer, serve

LABELS, PROBABILITIES = "labels", "probabilities"
"""What the encoded targets and the predictions are called, [n, labels] each."""
THRESHOLD = "threshold"
"""What a finished model has besides, and what is decided for another."""
_ALL_LABELS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"label": {"type": "string"}, "score": {"type": "double"}},
    },
}
"""The plain pipeline's answer to a text, as an MLmodel file has it."""


def trivial(rows: pa.Table, encoded: Encoded, targets: Targets) -> Iterator[Model]:
    """A baseline: how often each label occurs, so that all rows are given the same ones."""
    shares = np.asarray(encoded.targets[LABELS]).mean(axis=0, dtype=np.float64).astype(np.float32)
    yield lambda rows, encoded: {PROBABILITIES: np.tile(shares, (len(encoded), 1))}


def linear(features: Features, encoded: Encoded, targets: Targets) -> Iterator[OnFeatures]:
    """A logistic regression for each label."""

    def predict(model: Any, features: Features, encoded: Encoded) -> Predictions:
        return {PROBABILITIES: model.predict_proba(features).astype(np.float32)}

    for model in classifiers(features, np.asarray(encoded.targets[LABELS])):
        yield partial(predict, model)


BASELINES = {"trivial": trivial, "classical": on_texts(linear)}


class MultiLabel:
    """See `tasks.protocol.Task`. A model gives a probability for each label, independent of the others."""

    spec = TASK
    auto_model = AutoModelForSequenceClassification
    output_fields = (LOGITS,)
    pipeline_task = "text-classification"
    load_processor = staticmethod(load_tokenizer)
    fingerprint = staticmethod(tokenizer_fingerprint)
    target_findings = staticmethod(alike_labels)
    output_size = staticmethod(classification.label_count)
    check_model = staticmethod(plain.any_model)
    baselines = BASELINES
    linear = staticmethod(linear)
    tokens_of = staticmethod(plain.whole_rows)

    def clean_target(self, split: RawSplit, column: str, inputs: Sequence[str]) -> Sequence[Cell]:
        """Each row's labels once, sorted, without white space around them."""
        return [tuple(sorted({label.strip() for label in elements(cell)})) for cell in split.columns[column]]

    def fit_targets(self, splits: Mapping[str, RawSplit], column: str) -> Targets:
        """`labels`: the names in train, in natural order.

        DataError as in `known_labels`, and where train has one label only.
        """
        of_rows = {name: _sets(split.columns[column]) for name, split in splits.items()}
        labels = known_labels(splits, column, of_rows)
        if len(labels) < 2:
            raise DataError(
                f"{splits['train'].source}: column `{column}` has one label only (`{labels[0]}`) in all "
                "training rows; multi-label needs two. To tell rows with it from rows without, write yes or "
                "no into the column and take text-classification"
            )
        return {"labels": labels}

    def strata(self, cells: Sequence[Cell]) -> Sequence[str | None] | None:
        """See `rarest_strata`."""
        return rarest_strata(_sets(cells))

    def target_array(self, cells: Sequence[Cell], targets: Targets) -> pa.Array:
        """The numbers of each row's labels, a list of int32 [n]."""
        number = {label: i for i, label in enumerate(targets["labels"])}
        numbers = [sorted(number[label] for label in elements(cell)) for cell in cells]
        return pa.array(numbers, pa.large_list(pa.int32()))

    def occurrences(self, cells: Sequence[Cell], targets: Targets) -> Mapping[str, int]:
        """Rows of each label."""
        return classification.label_counts([label for cell in cells for label in elements(cell)], targets)

    def config_values(self, targets: Targets) -> dict[str, Any]:
        """As of a classification, but for the kind of problem."""
        return {**classification.config_values(targets), "problem_type": "multi_label_classification"}

    def encode(self, rows: pa.Table, processor: Any, targets: Targets, values: Values) -> Encoded:
        """Tokens, and `labels` [n, labels]: 1 where a row has the label, else 0."""
        labels = np.zeros((len(rows), len(targets["labels"])), np.int8)
        for row, numbers in enumerate(rows.column("target").to_pylist()):
            labels[row, numbers] = 1
        return encode_texts(rows, processor, values, {LABELS: labels})

    def weight(self, targets: Mapping[str, Array]) -> float:
        """Each row counts the same."""
        return len(targets[LABELS])

    def loss(self, outputs: Outputs, batch: Batch, values: LossValues) -> torch.Tensor:
        """Of each row the mean of its labels' binary cross entropies; the sum of the rows."""
        logits, truth = outputs[LOGITS].float(), batch.targets[LABELS].float()
        losses = functional.binary_cross_entropy_with_logits(logits, truth, reduction="sum")
        return losses / logits.shape[1]

    def output_bias(self, encoded: Mapping[str, Array]) -> np.ndarray:
        """The log odds of each label in train.

        Most rows have few of many labels. From even odds a short training would learn little more than that:
        Lin et al., "Focal Loss for Dense Object Detection", arXiv 1708.02002, section 3.3.
        """
        labels = np.asarray(encoded[LABELS])
        shares = (labels.sum(axis=0) + 0.5) / (len(labels) + 1)
        bias: np.ndarray = np.log(shares / (1 - shares)).astype(np.float32)
        return bias

    def guess_loss(self, targets: Targets) -> float:
        """Of probabilities of one half."""
        return math.log(2)

    def predict(self, outputs: Outputs, batch: Batch, targets: Targets) -> Mapping[str, torch.Tensor]:
        """`probabilities` [b, labels] in float32; of a finished model its `threshold` [b] too."""
        logits = outputs[LOGITS]
        found = {PROBABILITIES: logits.float().sigmoid()}
        if THRESHOLD in targets:
            found[THRESHOLD] = logits.new_full(logits.shape[:1], targets[THRESHOLD], dtype=torch.float64)
        return found

    def score(
        self, predictions: Predictions, encoded: Mapping[str, Array], targets: Targets
    ) -> dict[str, float]:
        """Every metric, at the threshold of the predictions."""
        return metrics_of(predictions[PROBABILITIES], np.asarray(encoded[LABELS]), _threshold(predictions))

    def error(self, metric: str, predictions: Predictions, encoded: Mapping[str, Array]) -> float | None:
        """By the bootstrap, at the same threshold throughout."""
        truth = np.asarray(encoded[LABELS])
        found = metric_of(metric, predictions[PROBABILITIES], truth, _threshold(predictions))
        return resampling.standard_error(found, len(predictions[PROBABILITIES]))

    def differences(self, metric: str, one: Scorable, other: Scorable, draws: int) -> np.ndarray:
        """See `Task.differences`."""
        truth = np.asarray(one[1][LABELS])
        mine, theirs = (
            metric_of(metric, each[PROBABILITIES], truth, _threshold(each)) for each, _ in (one, other)
        )
        return resampling.differences(mine, theirs, len(truth), draws)

    def decide(self, predictions: Predictions, validation: Scorable, objective: str) -> Predictions:
        """With the threshold that is best for the validation rows."""
        found, encoded = validation
        threshold = best_threshold(objective, found[PROBABILITIES], np.asarray(encoded[LABELS]))
        return {**predictions, THRESHOLD: np.full(len(predictions[PROBABILITIES]), threshold)}

    def breakdown(
        self, predictions: Predictions, encoded: Mapping[str, Array], targets: Targets
    ) -> Breakdown:
        """By label, with the calibration of all labels' probabilities together."""
        probabilities, truth = predictions[PROBABILITIES], np.asarray(encoded[LABELS])
        if not np.isfinite(probabilities).all():
            return Breakdown()
        given = probabilities.astype(np.float64) > _threshold(predictions)
        of_labels = by_label(truth, given.astype(truth.dtype), targets["labels"])
        return Breakdown(of_labels, calibration=calibration(probabilities.ravel(), truth.ravel() > 0))

    def row_answers(
        self, predictions: Predictions, encoded: Mapping[str, Array], targets: Targets, rows: pa.Table
    ) -> Sequence[RowAnswer]:
        """Both sets of labels; how far the probabilities of labels on the wrong side are off, summed up."""
        probabilities, truth = predictions[PROBABILITIES], np.asarray(encoded[LABELS])
        if not np.isfinite(probabilities).all():
            return ()
        answered = probabilities.astype(np.float64) > _threshold(predictions)
        wrong = np.where(answered != truth, np.abs(truth - probabilities), 0.0).sum(axis=1)
        return [
            RowAnswer(_said(given, targets), _said(other, targets), float(off))
            for given, other, off in zip(truth, answered, wrong, strict=True)
        ]

    def suspects(
        self, predictions: Predictions, encoded: Mapping[str, Array], targets: Targets
    ) -> Sequence[Suspect]:
        """Each label is a question by itself: yes or no. Of a row with several doubts, the shares of one."""
        probabilities, truth = predictions[PROBABILITIES].astype(np.float64), np.asarray(encoded[LABELS])
        if not np.isfinite(probabilities).all():
            return ()
        doubts = [
            (each, number)
            for number in range(truth.shape[1])
            for each in row_answers.suspects(
                np.stack([1 - probabilities[:, number], probabilities[:, number]], axis=1),
                truth[:, number].astype(int),
                ("no", "yes"),
            )
        ]
        doubts.sort(key=lambda doubt: doubt[0].given_share - doubt[0].suggested_share)
        suggested, clearest = truth.astype(bool), dict[int, Suspect]()
        for each, number in doubts:
            suggested[each.row, number] ^= True
            clearest.setdefault(each.row, each)
        return [
            replace(each, given=_said(truth[row], targets), suggested=_said(suggested[row], targets))
            for row, each in clearest.items()
        ]

    def finish(
        self, model: Any, targets: Targets, validation: Callable[[], Answered], objective: str
    ) -> None:
        """The threshold that is best for the validation rows goes into the configuration."""
        predictions, encoded = validation()
        truth = np.asarray(encoded.targets[LABELS])
        model.config.threshold = best_threshold(objective, predictions[PROBABILITIES], truth)

    def finished(self, targets: Targets, model: Any) -> Targets:
        """With the model's own threshold."""
        return {**targets, THRESHOLD: model.config.threshold}

    def pipeline(self, model: Any, processor: Any) -> Any:
        """Gives each text its labels."""
        return MultiLabelPipeline(  # type: ignore[no-untyped-call]
            model=model.eval(), tokenizer=processor, task=self.pipeline_task, device=model.device
        )

    def served(self, example: pa.Table, targets: Targets) -> Served:
        """Of a text pyfunc gives all labels with their scores: the plain pipeline knows no threshold."""
        note = (
            f"A text has the labels with a score above {targets[THRESHOLD]:.4g}, which is `threshold` in the "
            "model's configuration; `mlflow.pyfunc` gives all of them."
        )
        return replace(serve(example, [_ALL_LABELS], {"top_k": None}), note=note)


def _threshold(predictions: Predictions) -> float:
    """A finished model's, or the one that was decided."""
    return float(predictions[THRESHOLD][0])


def _said(labels: np.ndarray, targets: Targets) -> str:
    """The labels of one row, [labels] of 0 and 1."""
    return ", ".join(targets["labels"][number] for number in np.flatnonzero(labels)) or "(none)"


def _sets(cells: Sequence[Cell]) -> list[frozenset[str]]:
    return [frozenset(elements(cell)) for cell in cells]
