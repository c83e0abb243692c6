"""How good predictions are: the numbers behind `spec.metrics`, as scikit-learn defines them."""

import numpy as np

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
    classes, n = logits.shape[1], len(labels)
    table = np.bincount(labels.astype(np.int64) * classes + predicted, minlength=classes * classes)
    hits = table.reshape(classes, classes).diagonal().astype(np.float64)
    true = np.bincount(labels, minlength=classes).astype(np.float64)
    claimed = np.bincount(predicted, minlength=classes).astype(np.float64)
    seen = true + claimed > 0
    f1 = 2 * hits / np.maximum(true + claimed, 1)
    accuracy = hits.sum() / n
    probabilities = _softmax(logits)[np.arange(n), labels]
    values = {
        "accuracy": accuracy,
        "macro_f1": f1[seen].mean(),
        "micro_f1": accuracy,  # where every row has one label they are the same
        "weighted_f1": (f1 * true).sum() / n,
        "precision": (hits / np.maximum(claimed, 1))[seen].mean(),
        "recall": (hits / np.maximum(true, 1))[seen].mean(),
        "matthews_correlation": _matthews(hits.sum(), true, claimed, n),
        "log_loss": -np.log(np.maximum(probabilities, np.finfo(np.float64).eps)).mean(),
    }
    return {name: float(value) for name, value in values.items()}


def _matthews(right: float, true: np.ndarray, claimed: np.ndarray, n: int) -> float:
    """Gorodkin's R_K (Computational Biology and Chemistry 28, 2004); 0 where all rows have one label."""
    spread = (n * n - (claimed * claimed).sum()) * (n * n - (true * true).sum())
    return float((n * right - (true * claimed).sum()) / np.sqrt(spread)) if spread > 0 else 0.0


def is_better(metric: str, value: float, best: float | None) -> bool:
    """Whether `value` beats `best` (None before the first). NaN beats nothing."""
    if np.isnan(value):
        return False
    if best is None:
        return True
    return value > best if METRICS[metric].direction == "maximize" else value < best


def _softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities: np.ndarray = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities
