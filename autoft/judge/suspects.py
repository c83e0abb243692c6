"""Validation rows that a model finds hard, or whose label is likely wrong: of tasks with one label a row."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Suspect:
    """A row whose own label the model finds unlikely, and another one as likely as in rows that have it."""

    row: int
    given: int
    suggested: int
    given_share: float
    """The probability of its own label."""
    suggested_share: float


def suspects(probabilities: np.ndarray, labels: np.ndarray) -> list[Suspect]:
    """By confident learning (arXiv 1911.00068, section 3), the clearest first.

    The model must not have been trained on the rows. A label's threshold is the mean probability that it gets
    in rows that have it; a row is suspected where another label reaches its own threshold and its given label
    is not the likeliest of those that do.

    Args:
        probabilities: [n, classes].
        labels: the given ones [n].
    """
    classes = probabilities.shape[1]
    own = probabilities[np.arange(len(labels)), labels]
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, weights=own, minlength=classes)
    thresholds = np.divide(sums, counts, out=np.full(classes, np.inf), where=counts > 0)
    reached = np.where(probabilities >= thresholds, probabilities, -np.inf)
    likeliest = reached.argmax(axis=1)
    found = np.flatnonzero(np.isfinite(reached.max(axis=1)) & (likeliest != labels))
    margin = own[found] - probabilities[found, likeliest[found]]
    return [
        Suspect(
            int(row),
            int(labels[row]),
            int(likeliest[row]),
            float(own[row]),
            float(probabilities[row, likeliest[row]]),
        )
        for row in found[np.argsort(margin, kind="stable")]
    ]


def hardest(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The rows whose own label is not the likeliest, the least likely first."""
    own = probabilities[np.arange(len(labels)), labels]
    ordered = np.argsort(own, kind="stable")
    wrong: np.ndarray = ordered[probabilities.argmax(axis=1)[ordered] != labels[ordered]]
    return wrong
