"""Intervals of differences: they cover a known truth, and are taken of the same rows."""

from types import SimpleNamespace

import numpy as np
import pytest

from autoft.judge.answers import Answers
from autoft.judge.expected import DRAWS, Scores, corrected, difference, score

STUDIES = 1000


def accuracy(predictions, encoded, targets):
    return {"accuracy": float(np.mean(predictions["right"]))}


TASK = SimpleNamespace(score=accuracy, decide=lambda predictions, validation, objective: predictions)


def right(generator, rows, seeds, of_seeds, offset=0.0):
    """[seeds, rows]: whether each replica is right; what is hard in a row is the same for both models."""
    own = generator.normal(0, 0.5, len(rows))
    luck = generator.normal(0, of_seeds, (seeds, 1))
    noise = generator.normal(0, 0.7, (seeds, len(rows)))
    return (1.0 + offset + rows + own + luck + noise > 0).astype(float)


def scores_of(hits, counts):
    """As `score`, for a mean over rows; `counts` are how often each draw has each row."""
    return Scores(hits.mean(axis=1), counts @ hits.T / hits.shape[1])


@pytest.mark.parametrize(("seeds", "of_seeds"), [(5, 0.3), (5, 1.0), (3, 0.3)])
def test_the_interval_covers_the_truth_as_often_as_it_says(seeds, of_seeds):
    """Both configurations have the same expected accuracy over rows and seeds. Monte-Carlo error of a share
    of 0.95 in STUDIES: 0.007; conservative by up to 0.04, because what a seed does to a row counts twice."""
    generator, covered, n = np.random.default_rng(1), 0, 200
    for _ in range(STUDIES):
        rows = generator.normal(0, 1, n)
        counts = generator.multinomial(n, np.full(n, 1 / n), size=DRAWS)
        one, other = (scores_of(right(generator, rows, seeds, of_seeds), counts) for _ in range(2))
        covered += not difference(one, other, 0.95).excludes_0
    assert 0.95 - 3 * 0.007 <= covered / STUDIES <= 0.99 + 3 * 0.004


def test_rows_are_drawn_the_same_for_all_and_a_model_is_as_good_as_itself():
    """The rows alone do not set one model apart from another that errs where it does."""
    generator = np.random.default_rng(0)
    hits = right(generator, generator.normal(0, 1, 80), 1, 0.0)[0]
    same = [Answers({"right": hits}, {"labels": np.zeros(80)})] * 3
    found = score(TASK, "accuracy", same, {})
    assert (found.whole.shape, found.drawn.shape) == ((3,), (DRAWS, 3))
    assert found.whole == pytest.approx([hits.mean()] * 3)
    assert found.drawn.std(axis=0, ddof=1) == pytest.approx(
        [np.sqrt(hits.var() / 80)] * 3,
        rel=0.25,  # 7 % is the error of so many draws
    )
    nothing = difference(found, score(TASK, "accuracy", same, {}), 0.95)
    assert (nothing.difference, nothing.low, nothing.high, nothing.excludes_0) == (0, 0, 0, False)


def test_the_error_is_that_of_seeds_by_hand_where_rows_say_nothing():
    """Scores 0.8, 0.9 and 0.5, 0.6: variances 0.005 each, over 2 seeds 0.0025 each, so an error of
    sqrt(0.005); Welch's degrees of freedom 2, Student's t there 4.3027."""
    one, other = (Scores(np.array(of), np.tile(of, (5, 1))) for of in ([0.8, 0.9], [0.5, 0.6]))
    found = difference(one, other, 0.95)
    assert (found.low, found.high) == pytest.approx(
        (0.3 - 4.3027 * 0.005**0.5, 0.3 + 4.3027 * 0.005**0.5), abs=1e-4
    )


def test_more_comparisons_have_wider_intervals():
    assert [round(corrected(n), 4) for n in (1, 2, 3, 4)] == [0.95, 0.95, 0.975, 0.9833]
