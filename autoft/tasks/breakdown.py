"""Where a model is right and where not: by label, which labels it confuses, and how sure it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

BINS = 10
"""Of confidence, equally wide."""
MOST_LABELS = 200
"""A confusion matrix of more is left out: nobody reads it, and it grows with their square."""


@dataclass(frozen=True)
class Calibration:
    """Whether a model that is 80 % sure is right in 80 % of the cases."""

    error: float
    """The expected calibration error: how far confidence and share of right answers are apart in a bin, in
    the mean over the answers (Guo et al. 2017, arXiv 1706.04599, section 2)."""
    bins: Sequence[Mapping[str, float]]
    """Of BINS the ones that have answers: `confidence` and `right`, both means, and `answers`."""


@dataclass(frozen=True)
class Breakdown:
    """One model on some rows. Empty where a task has nothing of the kind, or an answer is not finite."""

    by_label: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """`precision`, `recall` and `f1` of each label, and `support`, how often it is true."""
    confusion: Sequence[Sequence[int]] | None = None
    """[labels, labels]: how many rows of a label were given each label, in the order of `by_label`."""
    calibration: Calibration | None = None

    @classmethod
    def of_dict(cls, stored: Mapping[str, Any]) -> "Breakdown":
        """Back from `dataclasses.asdict`."""
        calibration = stored["calibration"]
        return cls(**{**stored, "calibration": Calibration(**calibration) if calibration else None})


def of_classes(probabilities: np.ndarray, true: np.ndarray, labels: Sequence[str]) -> Breakdown:
    """Of a classifier with one label a row.

    Args:
        probabilities: [n, labels].
        true: [n], indices into the labels.
        labels: their names.
    """
    predicted, numbers = probabilities.argmax(axis=1), range(len(labels))
    matrix = confusion_matrix(true, predicted, labels=numbers) if len(labels) <= MOST_LABELS else None
    return Breakdown(
        by_label(true, predicted, labels),
        None if matrix is None else matrix.tolist(),
        calibration(probabilities.max(axis=1), predicted == true),
    )


def by_label(true: np.ndarray, predicted: np.ndarray, labels: Sequence[str]) -> dict[str, dict[str, float]]:
    """Of labels [n], or of which labels a row has and is given, [n, labels] of 0 and 1."""
    scores = precision_recall_fscore_support(
        true, predicted, labels=range(len(labels)), average=None, zero_division=0
    )
    columns = dict(zip(("precision", "recall", "f1", "support"), scores, strict=True))
    return {
        label: {name: float(of[number]) for name, of in columns.items()}
        for number, label in enumerate(labels)
    }


def calibration(confidence: np.ndarray, right: np.ndarray) -> Calibration:
    """Of answers [n]: how sure each was, from 0 to 1, and whether it was right."""
    of_bin = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = [
        {
            "confidence": float(confidence[chosen].mean()),
            "right": float(right[chosen].mean()),
            "answers": int(chosen.sum()),
        }
        for chosen in (of_bin == number for number in range(BINS))
        if chosen.any()
    ]
    apart = sum(each["answers"] * abs(each["confidence"] - each["right"]) for each in bins)
    return Calibration(apart / len(confidence), bins)
