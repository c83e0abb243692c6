"""How alike two studies are: their models, labels, texts and sizes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autoft.data.overlap import inputs_of, texts_of

if TYPE_CHECKING:
    import pyarrow as pa

SAME_WEIGHTS, SAME_FAMILY, OTHER_MODEL = 1.0, 0.8, 0.5
"""Likeness of models: the same weights; the same name or architecture; another one."""
COUNTED_ROWS = 10_000
"""The most rows whose words are counted; of more, evenly spaced ones."""
WORDS = 2**18
"""Number of hash buckets for words."""


@dataclass(frozen=True)
class Likeness:
    """How alike data and model of two studies are, each part from 0 to 1."""

    model: float
    """1 for the same pretrained weights, 0.8 for the same name or architecture, else 0.5; of several models
    of the new study the mean, each with the earlier one that it is most like."""
    labels: float
    """Labels that both have, over labels that either has (Jaccard); 1 where the task has none."""
    words: float
    """Cosine of the word counts of the training texts; 1 where the rows are files."""
    size: float
    """Training rows of the smaller over those of the larger, to the power 1/4: 16 times as many halve it."""

    @property
    def value(self) -> float:
        """model x (labels + words) / 2 x size.

        >>> Likeness(model=0.8, labels=1.0, words=0.5, size=1.0).value
        0.6000000000000001
        """
        return self.model * (self.labels + self.words) / 2 * self.size


@dataclass(frozen=True)
class Side:
    """The parts of a study that are compared."""

    models: Mapping[str, Mapping[str, str | None]]
    """Digest of the weights (`weights`) and `architecture` of each model by its name; None if unknown."""
    labels: Sequence[str]
    train: "pa.Table"
    """The training rows."""


def likeness(new: Side, earlier: Side) -> Likeness:
    """How alike two studies are."""
    few, many = sorted((len(new.train), len(earlier.train)))
    return Likeness(
        model=_models(new, earlier),
        labels=_labels({*new.labels}, {*earlier.labels}),
        words=_words(new.train, earlier.train),
        size=(few / many) ** 0.25,
    )


def _labels(new: set[str], earlier: set[str]) -> float:
    return len(new & earlier) / len(new | earlier) if new | earlier else 1.0


def _models(new: Side, earlier: Side) -> float:
    best = [
        max(_model(name, facts, *other) for other in earlier.models.items())
        for name, facts in new.models.items()
    ]
    return sum(best) / len(best)


def _model(name: str, facts: Mapping[str, str | None], other: str, others: Mapping[str, str | None]) -> float:
    def same(fact: str) -> bool:
        return facts.get(fact) is not None and facts.get(fact) == others.get(fact)

    if same("weights"):
        return SAME_WEIGHTS
    return SAME_FAMILY if name == other or same("architecture") else OTHER_MODEL


def _words(one: "pa.Table", other: "pa.Table") -> float:
    if any(isinstance(cell, bytes) for cell in inputs_of(one.slice(0, 1))[0]):
        return 1.0
    first, second = _word_counts(one), _word_counts(other)
    norms = float(np.linalg.norm(first) * np.linalg.norm(second))
    return min(1.0, float(first @ second) / norms) if norms else 0.0


def _word_counts(rows: "pa.Table") -> np.ndarray:
    """How often each word occurs in the rows' inputs, float64 [WORDS]."""
    from sklearn.feature_extraction.text import HashingVectorizer  # half a second that few searches need

    if len(rows) > COUNTED_ROWS:
        rows = rows.take(np.linspace(0, len(rows) - 1, COUNTED_ROWS).astype(int))
    vectorizer = HashingVectorizer(n_features=WORDS, alternate_sign=False, norm=None)
    counts = vectorizer.transform(" ".join(inputs) for inputs in texts_of(rows))
    return np.asarray(counts.sum(axis=0), dtype=float).ravel()
