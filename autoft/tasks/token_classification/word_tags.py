"""Where the tags of words stand among a row's tokens."""

import numpy as np

from autoft.data.encoded import Encoded, Ragged
from autoft.data.text import WORDS
from autoft.tasks.protocol import Predictions

LABELS, TAGS = "labels", "tags"
"""Targets: the number of each token's tag, and of each word's. The predictions have `tags` of tokens too."""
FINITE = "finite"
"""Of the predictions: whether all of a row's logits were finite, [n]."""
IGNORED = -100
"""The tag of tokens that do not count: special ones, and those that continue a word."""


def begun(encoded: Encoded) -> tuple[np.ndarray, np.ndarray]:
    """Of each token that begins a word, [k]: where it stands among all tokens, and its word among all words.

    A word that was cut off, or has no token, is left out.
    """
    words, tags = encoded.targets[WORDS], encoded.targets[TAGS]
    assert isinstance(words, Ragged) and isinstance(tags, Ragged)
    tokens = np.flatnonzero(words.values >= 0)
    first = np.repeat(tags.offsets[:-1], encoded.lengths)
    return tokens, first[tokens] + words.values[tokens]


def predictions_of(tags: np.ndarray, encoded: Encoded) -> Predictions:
    """The predictions for rows, from the numbers of the tags of all words that are `begun`, [k]."""
    words = encoded.targets[WORDS]
    assert isinstance(words, Ragged)
    values = np.zeros(len(words.values), np.int64)  # O
    values[begun(encoded)[0]] = tags
    rows = np.arange(len(encoded))
    return {TAGS: Ragged(values, words.offsets).padded(rows), FINITE: np.ones(len(encoded), bool)}
