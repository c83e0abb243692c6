"""The metrics of entities: seqeval's entities, counted by row so that rows can be drawn.

An entity is right if its type and both its ends are. The F1 of all entities together is what seqeval's
`f1_score` gives (Ramshaw and Marcus 1995; CoNLL 2003).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from seqeval.metrics import classification_report
from seqeval.metrics.sequence_labeling import get_entities

from autoft.tasks.resampling import Metric, share


@dataclass(frozen=True)
class EntityCounts:
    """Of n rows, float64 [n] each."""

    right: np.ndarray
    """Entities that are predicted as they are."""
    true: np.ndarray
    """Entities that there are."""
    predicted: np.ndarray
    right_words: np.ndarray
    """Words with the right tag."""
    words: np.ndarray

    @classmethod
    def of(cls, rows: Iterable[tuple[np.ndarray, np.ndarray]]) -> "EntityCounts":
        """Of the numbers of each row's true and predicted tags: O is 0, then B and I of each type in turn."""
        counts = []
        for true, predicted in rows:
            there, given = (_entities(tags) if tags.any() else set() for tags in (true, predicted))
            words = int((true == predicted).sum()), len(true)
            counts.append((len(there & given), len(there), len(given), *words))
        return cls(*np.array(counts, np.float64).T)


def _entities(tags: np.ndarray) -> set[tuple[str, int, int]]:
    names = ["O" if tag == 0 else f"{'IB'[tag % 2]}-{(tag - 1) // 2}" for tag in tags.tolist()]
    return set(get_entities(names))


def by_type(
    rows: Iterable[tuple[np.ndarray, np.ndarray]], tags: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and support of each type of entity, by seqeval.

    Args:
        rows: the numbers of each row's true and predicted tags.
        tags: their names.
    """
    true, given = zip(*(([tags[i] for i in one] for one in pair) for pair in rows), strict=True)
    found = classification_report(true, given, output_dict=True, zero_division=0)
    types = [tag[2:] for tag in tags if tag.startswith("B-")]
    return {
        kind: {
            **{name: float(found[kind][name]) for name in ("precision", "recall", "support")},
            "f1": float(found[kind]["f1-score"]),
        }
        for kind in types
        if kind in found  # it occurs, or is predicted
    }


def metric_of(name: str, rows: EntityCounts | None) -> Metric:
    """One metric as a function of how often each row counts; NaN without rows."""
    if rows is None:
        return lambda counts: np.full(len(counts), np.nan)
    of, among = {
        "entity_f1": (2 * rows.right, rows.true + rows.predicted),
        "entity_precision": (rows.right, rows.predicted),
        "entity_recall": (rows.right, rows.true),
        "token_accuracy": (rows.right_words, rows.words),
    }[name]
    return lambda counts: share(counts @ of, counts @ among)
