"""The breakdown of a classifier's answers, by scikit-learn: scores of each label, confusion, calibration."""

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from autoft.tasks.breakdown import Breakdown, Calibration

BINS = 10
"""Of confidence, equally wide."""
MOST_LABELS = 200
"""A confusion matrix of more is left out: nobody reads it, and it grows with their square."""


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
