"""Several labels a row, or entities of several types: what tasks with such rows share."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set

import numpy as np

from autoft.data.alike import likeness_hint
from autoft.data.rows import RawSplit, listed
from autoft.data.values import natural_order
from autoft.errors import DataError

FEWEST = 3
"""Rows that a label needs to be a stratum of its own: one for each split."""


def known_labels(
    splits: Mapping[str, RawSplit], column: str, of_rows: Mapping[str, Sequence[Set[str]]]
) -> list[str]:
    """The labels that occur in train, in natural order.

    Args:
        splits: by name.
        column: the target.
        of_rows: by split, the labels of each of its rows.

    Raises:
        DataError: train has none, or another split has one that is not in train.
    """
    known = set().union(*of_rows["train"])
    if not known:
        raise DataError(f"{splits['train'].source}: column `{column}` has no label in any training row")
    for name, split in splits.items():
        strange = np.array([not labels <= known for labels in of_rows[name]])
        if strange.any():
            names = natural_order(set().union(*of_rows[name]) - known)
            raise DataError(
                f"{split.source}: {listed(names, '`')} of column `{column}` is not in the train split "
                f"({split.places(strange)}), so it cannot be learned: add training rows or remove it; "
                "if autoft has drawn the splits, try another data.split.seed"
                f"{likeness_hint(names, known)}"
            )
    return list(natural_order(known))


def rarest_strata(of_rows: Sequence[Set[str]]) -> list[str | None]:
    """For each row its rarest label, so that rare labels are in every split.

    None, which keeps a row in train, where a stratum would be smaller than FEWEST: what occurs there alone
    could not be learned.
    """
    counts = Counter(label for labels in of_rows for label in labels)
    strata = [min(labels, key=lambda each: (counts[each], each), default="") for labels in of_rows]
    sizes = Counter(strata)
    return [each if sizes[each] >= FEWEST else None for each in strata]
