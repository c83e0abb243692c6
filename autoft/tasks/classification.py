"""One label a row: its names learned, and how good predictions are. What all such tasks share."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    matthews_corrcoef,
    precision_recall_fscore_support,
)
from torch.nn import functional

from autoft.data.alike import likeness_hint
from autoft.data.batch import Batch
from autoft.data.encoded import Array, Encoded
from autoft.data.rows import Cell, RawSplit, listed
from autoft.data.targets import Targets
from autoft.data.values import natural_order
from autoft.errors import DataError
from autoft.tasks import row_answers
from autoft.tasks.breakdown import Breakdown
from autoft.tasks.by_label import of_classes
from autoft.tasks.classification_error import paired_differences, softmax, standard_error
from autoft.tasks.classification_metrics import METRICS
from autoft.tasks.linear import UNSEEN, classifiers, probabilities
from autoft.tasks.outputs import LOGITS
from autoft.tasks.protocol import (
    Features,
    LossValues,
    Model,
    OnFeatures,
    Outputs,
    Predictions,
    Scorable,
)
from autoft.tasks.row_answers import RowAnswer, Suspect

LABELS = "labels"
"""What the encoded targets are called; the predictions are called as the outputs."""


def strip_labels(split: RawSplit, column: str, inputs: Sequence[str]) -> list[str]:
    """White space around a label is no part of its name: nobody could tell the two labels apart."""
    return [str(label).strip() for label in split.columns[column]]


def fit_labels(splits: Mapping[str, RawSplit], column: str) -> Targets:
    """`labels`: the names in train, in natural order.

    Raises:
        DataError: train has one label only, or another split has one that is not in train.
    """
    train = splits["train"]
    known = {str(label) for label in train.columns[column]}
    if len(known) < 2:
        raise DataError(
            f"{train.source}: column `{column}` has one value only (`{next(iter(known))}`) in "
            f"{len(train)} training rows; a classifier needs at least two"
        )
    for split in splits.values():
        strange = np.array([label not in known for label in split.columns[column]])
        if strange.any():
            names = natural_order(str(split.columns[column][i]) for i in np.flatnonzero(strange).tolist())
            raise DataError(
                f"{split.source}: label {listed(names, '`')} of column `{column}` is not in the train split "
                f"({split.places(strange)}); train has {listed(natural_order(known), '`')}"
                f"{likeness_hint(names, known)}"
            )
    return {"labels": list(natural_order(known))}


def label_numbers(cells: Sequence[Cell], targets: Targets) -> pa.Array:
    """Each row's label as an index into `targets["labels"]`, int32 [n]."""
    number = {label: i for i, label in enumerate(targets["labels"])}
    return pa.array([number[str(label)] for label in cells], pa.int32())


def label_counts(cells: Sequence[Cell], targets: Targets) -> dict[str, int]:
    """Rows of each label, those without any included."""
    counts = Counter(cells)
    return {label: counts[label] for label in targets["labels"]}


def label_count(targets: Targets) -> int:
    """A number for each label."""
    return len(targets["labels"])


def config_values(targets: Targets) -> dict[str, Any]:
    """What the labels mean for a model's configuration."""
    labels = targets["labels"]
    return {
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
        "problem_type": "single_label_classification",
    }


def label_strata(cells: Sequence[Cell]) -> Sequence[str]:
    """Every split is to have its share of every label."""
    return [str(label) for label in cells]


def encoded_labels(rows: pa.Table) -> dict[str, Array]:
    """`labels` [n] of `rows` (of rows.arrow)."""
    return {LABELS: rows.column("target").to_numpy()}


def row_count(targets: Mapping[str, Array]) -> float:
    """Each row counts the same."""
    return len(targets[LABELS])


def cross_entropy(outputs: Outputs, batch: Batch, values: LossValues) -> torch.Tensor:
    """The sum over the rows, with label smoothing as arXiv 1512.00567 (section 7) has it; float32.

    Args:
        outputs: `logits` [b, classes].
        batch: its `labels` [b].
        values: `label_smoothing`.
    """
    logits, labels, smoothing = outputs[LOGITS].float(), batch.targets[LABELS], values["label_smoothing"]
    if not isinstance(smoothing, torch.Tensor):
        return functional.cross_entropy(logits, labels, label_smoothing=float(smoothing), reduction="sum")
    logs = logits.log_softmax(dim=-1)
    plain = functional.nll_loss(logs, labels, reduction="sum")
    return torch.lerp(plain, -logs.mean(dim=-1).sum(), smoothing)


def guess_loss(targets: Targets) -> float:
    """Of equal probabilities for all labels."""
    return math.log(len(targets["labels"]))


def keep_logits(outputs: Outputs, batch: Batch, targets: Targets) -> Mapping[str, torch.Tensor]:
    """`logits` [b, classes] in float32."""
    return {LOGITS: outputs[LOGITS].float()}


def score(predictions: Predictions, encoded: Mapping[str, Array], targets: Targets) -> dict[str, float]:
    """See `classification_metrics`."""
    return classification_metrics(predictions[LOGITS], _labels(encoded))


def error(metric: str, predictions: Predictions, encoded: Mapping[str, Array]) -> float | None:
    """See `classification_error.standard_error`."""
    return standard_error(metric, predictions[LOGITS], _labels(encoded))


def differences(metric: str, one: Scorable, other: Scorable, draws: int) -> np.ndarray:
    """See `classification_error.paired_differences`."""
    (mine, encoded), (theirs, _) = one, other
    return paired_differences(metric, mine[LOGITS], theirs[LOGITS], _labels(encoded), draws)


def rows_answered(
    predictions: Predictions, encoded: Mapping[str, Array], targets: Targets, rows: pa.Table
) -> Sequence[RowAnswer]:
    """Each label with its probability."""
    if not np.isfinite(predictions[LOGITS]).all():
        return ()
    return row_answers.of_labels(softmax(predictions[LOGITS]), _labels(encoded), targets["labels"])


def suspects(predictions: Predictions, encoded: Mapping[str, Array], targets: Targets) -> Sequence[Suspect]:
    """See `row_answers.suspects`."""
    if not np.isfinite(predictions[LOGITS]).all():
        return ()
    return row_answers.suspects(softmax(predictions[LOGITS]), _labels(encoded), targets["labels"])


def breakdown(predictions: Predictions, encoded: Mapping[str, Array], targets: Targets) -> Breakdown:
    """By label, with confusion and calibration."""
    if not np.isfinite(predictions[LOGITS]).all():
        return Breakdown()
    return of_classes(softmax(predictions[LOGITS]), _labels(encoded), targets["labels"])


def trivial(rows: pa.Table, encoded: Encoded, targets: Targets) -> Iterator[Model]:
    """A baseline: how often each label occurs, so that the most frequent one is given."""
    counts = np.bincount(_labels(encoded.targets), minlength=len(targets["labels"]))
    logits = np.log(np.maximum(counts / counts.sum(), UNSEEN)).astype(np.float32)
    yield lambda rows, encoded: {LOGITS: np.tile(logits, (len(encoded), 1))}


def linear(features: Features, encoded: Encoded, targets: Targets) -> Iterator[OnFeatures]:
    """Logistic regressions."""

    def predict(model: Any, features: Features, encoded: Encoded) -> Predictions:
        return {LOGITS: np.log(probabilities(model, features, len(targets["labels"]))).astype(np.float32)}

    for model in classifiers(features, _labels(encoded.targets)):
        yield partial(predict, model)


def _labels(encoded: Mapping[str, Array]) -> np.ndarray:
    labels = encoded[LABELS]
    assert isinstance(labels, np.ndarray)
    return labels


def classification_metrics(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Every classification metric.

    Averages over labels count those that occur in `labels` or are predicted, as scikit-learn does by
    default; a label that is never predicted has precision 0.

    Args:
        logits: [n, classes]. Where one is not finite, every metric is NaN.
        labels: [n], in 0..classes-1.
    """
    if not np.isfinite(logits).all():
        return dict.fromkeys(METRICS, math.nan)
    predicted = logits.argmax(axis=1)
    several = len(np.union1d(labels, predicted)) > 1
    precision, recall, macro_f1, _ = precision_recall_fscore_support(
        labels, predicted, average="macro", zero_division=0
    )
    values = {
        "accuracy": accuracy_score(labels, predicted),
        "macro_f1": macro_f1,
        "micro_f1": f1_score(labels, predicted, average="micro", zero_division=0),
        "weighted_f1": f1_score(labels, predicted, average="weighted", zero_division=0),
        "precision": precision,
        "recall": recall,
        # Without this scikit-learn warns that a single label has no correlation, and says 0 too.
        "matthews_correlation": matthews_corrcoef(labels, predicted) if several else 0.0,
        "log_loss": log_loss(labels, softmax(logits), labels=np.arange(logits.shape[1])),
    }
    return {name: float(value) for name, value in values.items()}
