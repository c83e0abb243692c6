"""The bootstrap, against scipy's and by the formula for a mean."""

import math

import numpy as np
import pytest
from scipy.stats import bootstrap

from autoft.tasks.resampling import RESAMPLES, differences, share, standard_error

VALUES = np.random.default_rng(3).gamma(2.0, size=250)


def mean_of(values):
    return lambda counts: counts @ values / counts.sum(axis=1)


def test_the_error_of_a_mean_is_scipy_s_and_the_formula_s():
    found = standard_error(mean_of(VALUES), len(VALUES))
    # Of 100 draws: right within 7 %, so three times that.
    assert found == pytest.approx(VALUES.std() / math.sqrt(len(VALUES)), rel=0.21)
    expected = bootstrap((VALUES,), np.mean, n_resamples=2000, rng=1).standard_error
    assert found == pytest.approx(expected, rel=0.21)


def test_it_repeats_and_leaves_the_random_state_alone():
    before = np.random.get_state()[1].copy()
    assert standard_error(mean_of(VALUES), 250) == standard_error(mean_of(VALUES), 250)
    assert (np.random.get_state()[1] == before).all()


def test_a_metric_that_is_no_number_has_no_error():
    assert standard_error(lambda counts: np.full(len(counts), np.nan), 5) is None


def test_both_models_are_asked_about_the_same_draws():
    other = VALUES + 0.5
    assert differences(mean_of(VALUES), mean_of(VALUES), 250, 30).tolist() == [0.0] * 30
    # The two always differ by one half, however much each of them varies.
    assert differences(mean_of(other), mean_of(VALUES), 250, 30) == pytest.approx(0.5)


def test_many_draws_come_a_few_at_a_time_and_each_has_as_many_rows_as_there_are():
    seen = []

    def rows_drawn(counts):
        seen.append(len(counts))
        return counts.sum(axis=1)

    found = differences(rows_drawn, lambda counts: np.zeros(len(counts)), 7, 2 * RESAMPLES + 50)
    assert seen == [RESAMPLES, RESAMPLES, 50]
    assert found.tolist() == [7.0] * 250


def test_a_share_of_nothing_is_0():
    assert share(np.array([1.0, 2.0]), np.array([4.0, 0.0])).tolist() == [0.25, 0.0]
