"""How good predictions are: the numbers behind `spec.metrics`, by scikit-learn."""

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    matthews_corrcoef,
    precision_recall_fscore_support,
)

from autoft.spec.metrics import METRICS


def classification_metrics(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Every classification metric.

    Averages over labels count those that occur in `labels` or are predicted, as scikit-learn does by
    default; a label that is never predicted has precision 0.

    Args:
        logits: [n, classes]. Where one is not finite, every metric is NaN.
        labels: [n], in 0..classes-1.
    """
    if not np.isfinite(logits).all():
        return dict.fromkeys(METRICS, float("nan"))
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


def is_better(metric: str, value: float, best: float | None) -> bool:
    """Whether `value` beats `best` (None before the first). NaN beats nothing."""
    if np.isnan(value):
        return False
    if best is None:
        return True
    return value > best if METRICS[metric].direction == "maximize" else value < best


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities [n, classes] in float64."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities: np.ndarray = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities
