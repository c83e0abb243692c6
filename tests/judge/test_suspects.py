"""By hand, after section 3.1 of arXiv 1911.00068."""

import numpy as np

from autoft.judge.suspects import Suspect, hardest, suspects

PROBABILITIES = np.array(
    [
        [0.9, 0.1, 0.0],
        [0.7, 0.3, 0.0],
        [0.2, 0.8, 0.0],  # labeled 0, and as sure of 1 as rows of 1 are
        [0.4, 0.6, 0.0],  # labeled 0, and not as sure of 1 as those
        [0.3, 0.7, 0.0],
        [0.1, 0.9, 0.0],
    ]
)
LABELS = np.array([0, 0, 0, 0, 1, 1])


def test_a_row_is_suspected_where_another_label_reaches_the_mean_of_its_own_rows():
    # Thresholds: of 0 (0.9 + 0.7 + 0.2 + 0.4) / 4 = 0.55, of 1 (0.7 + 0.9) / 2 = 0.8, of 2 no row has it.
    assert suspects(PROBABILITIES, LABELS) == [Suspect(2, 0, 1, 0.2, 0.8)]


def test_the_clearest_comes_first():
    found = suspects(np.concatenate([PROBABILITIES, [[0.02, 0.98, 0.0]]]), np.append(LABELS, 0))
    assert [each.row for each in found] == [6, 2]


def test_the_hardest_rows_are_those_answered_wrong_by_the_probability_of_their_label():
    assert hardest(PROBABILITIES, LABELS).tolist() == [2, 3]
    assert hardest(PROBABILITIES[:2], LABELS[:2]).tolist() == []
