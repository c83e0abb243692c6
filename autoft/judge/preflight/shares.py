"""Splits whose targets are distributed otherwise than those of train."""

from collections.abc import Mapping

import numpy as np
from scipy.stats import chi2_contingency

from autoft.data.finding import Finding
from autoft.data.rows import EXAMPLES

_FAR = 0.2
"""Total variation distance: the share of a split's labels that would have to be others."""
_CHANCE = 0.001
"""A difference that two samples of one distribution show more often than that is none."""


def far_shares(counts: Mapping[str, Mapping[str, int]], occurrence: str) -> list[Finding]:
    """A warning for each split whose labels, tags or ranges occur otherwise than in train.

    Of the test split it is not said which ones.

    Args:
        counts: by split, how often each occurs.
        occurrence: what occurs, such as `label`.
    """
    train = np.array(list(counts["train"].values()))
    found = []
    for name, of_split in counts.items():
        own = np.array(list(of_split.values()))
        if name == "train" or not own.any():
            continue
        differences = own / own.sum() - train / train.sum()
        distance = float(np.abs(differences).sum() / 2)
        both = np.array([train, own])[:, (train + own) > 0]
        if distance < _FAR or chi2_contingency(both).pvalue >= _CHANCE:
            continue
        most = np.argsort(-np.abs(differences), kind="stable")[: 0 if name == "test" else EXAMPLES]
        labels = list(of_split)
        shares = [
            f"{labels[i]!r} {own[i] / own.sum():.0%} instead of {train[i] / train.sum():.0%}" for i in most
        ]
        found.append(
            Finding(
                rule="shares",
                said=f"{name} has other shares of each {occurrence} than train: {distance:.0%} of its rows "
                "would have to be others",
                fix="A score there is not that of rows like the training ones; let autoft draw the splits "
                "from all rows, with data.split.stratify: true",
                counts={"percent": round(100 * distance)},
                examples=tuple(shares),
            )
        )
    return found
