"""What a model answers to single rows, for a person who looks at them, and which targets are likely wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RowAnswer:
    """Of one row, in words."""

    given: str
    """Its target."""
    answered: str
    wrong: float
    """How far apart the two are; 0 where the answer is right. Compares with other rows of the task alone."""


@dataclass(frozen=True)
class Suspect:
    """A row whose own target the model finds unlikely, and another one as likely as in rows that have it."""

    row: int
    given: str
    suggested: str
    given_share: float
    """The probability of its own target."""
    suggested_share: float


def of_labels(probabilities: np.ndarray, given: np.ndarray, names: Sequence[str]) -> list[RowAnswer]:
    """Of rows with one label: a wrong answer is the worse, the less likely the given label is.

    Args:
        probabilities: [n, labels].
        given: [n], indices into the labels.
        names: of the labels.
    """
    answered = probabilities.argmax(axis=1)

    def said(row: int, label: int) -> str:
        return f"{names[label]} {probabilities[row, label]:.2f}"

    return [
        RowAnswer(
            said(row, label),
            said(row, other),
            0.0 if other == label else 1 - float(probabilities[row, label]),
        )
        for row, (label, other) in enumerate(zip(given.tolist(), answered.tolist(), strict=True))
    ]


def suspects(probabilities: np.ndarray, given: np.ndarray, names: Sequence[str]) -> list[Suspect]:
    """By confident learning (arXiv 1911.00068, section 3), the clearest first.

    The model must not have been trained on the rows. A label's threshold is the mean probability that it gets
    in rows that have it; a row is suspected where another label reaches its own threshold and its given label
    is not the likeliest of those that do. Arguments as in `of_labels`.
    """
    classes = probabilities.shape[1]
    own = probabilities[np.arange(len(given)), given]
    counts = np.bincount(given, minlength=classes)
    sums = np.bincount(given, weights=own, minlength=classes)
    thresholds = np.divide(sums, counts, out=np.full(classes, np.inf), where=counts > 0)
    reached = np.where(probabilities >= thresholds, probabilities, -np.inf)
    likeliest = reached.argmax(axis=1)
    found = np.flatnonzero(np.isfinite(reached.max(axis=1)) & (likeliest != given))
    margin = own[found] - probabilities[found, likeliest[found]]
    return [
        Suspect(
            int(row),
            names[int(given[row])],
            names[int(likeliest[row])],
            float(own[row]),
            float(probabilities[row, likeliest[row]]),
        )
        for row in found[np.argsort(margin, kind="stable")]
    ]
