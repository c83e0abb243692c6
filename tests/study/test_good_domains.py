"""Ranges of the best quarter, by hand."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from autoft.spec.space import Choice, Range
from autoft.study.good_domains import searched_parameters


def study_of(distribution, scored, direction="maximize", state=TrialState.COMPLETE):
    """A study in memory: a trial for each value and its final score."""
    study = optuna.create_study(direction=direction)
    for value, score in scored:
        trial = create_trial(
            state=state,
            value=score,
            params={"x": value},
            distributions={"x": distribution},
            intermediate_values={1: score},
        )
        study.add_trial(trial)
    return study


def good(distribution, scored, **of):
    (found,) = searched_parameters(study_of(distribution, scored, **of))
    return found.good


BAD = [(0.95, 0.1)] * 12


def test_a_range_is_that_of_the_best_and_a_little_beyond():
    best = [(0.30, 0.9), (0.40, 0.9), (0.36, 0.9), (0.45, 0.9)]
    # Four of 16 are the best quarter. Their span 0.15, a third of it at each side: 0.25 to 0.50.
    assert good(FloatDistribution(0, 1), best + BAD) == Range(0.25, 0.5, integer=False)
    assert good(FloatDistribution(0.28, 1), best + BAD) == Range(0.28, 0.5, integer=False)


def test_less_is_better_where_the_study_says_so():
    low = [(0.30, 0.1), (0.40, 0.1), (0.36, 0.1), (0.45, 0.1)]
    bad = [(0.95, 0.9)] * 12
    assert good(FloatDistribution(0, 1), low + bad, direction="minimize") == Range(0.25, 0.5, integer=False)


def test_a_log_range_is_widened_by_a_ratio():
    best = [(1e-3, 0.9), (2e-3, 0.9), (4e-3, 0.9), (8e-3, 0.9)]
    bad = [(0.9, 0.1)] * 12
    # The span is a factor of 8, a third of it a factor of 2: 5e-4 to 1.6e-2.
    narrowed = good(FloatDistribution(1e-5, 1, log=True), best + bad)
    assert (narrowed.low, narrowed.high) == pytest.approx((5e-4, 1.6e-2), rel=0.07)
    assert narrowed.log


def test_whole_numbers_stay_whole_and_steps_on_their_grid():
    best = [(4, 0.9), (6, 0.9), (5, 0.9), (4, 0.9)]
    bad = [(20, 0.1)] * 12
    assert good(IntDistribution(1, 20), best + bad) == Range(3, 7, integer=True)
    stepped = [(0.2, 0.9), (0.3, 0.9), (0.4, 0.9), (0.3, 0.9)]
    found = good(FloatDistribution(0.0, 0.8, step=0.1), stepped + [(0.8, 0.1)] * 12)
    assert (found.low, found.high, found.step) == pytest.approx((0.1, 0.5, 0.1))


def test_a_range_stays_where_the_best_have_two_values_only():
    best = [(0.1, 0.9), (0.1, 0.9), (0.1, 0.9), (0.2, 0.9)]
    assert good(FloatDistribution(0, 1), best + BAD) == Range(0, 1, integer=False)


def test_of_a_choice_stay_the_values_of_the_best_and_what_was_hardly_tried():
    choices = CategoricalDistribution((0, 1, 2, "all"))
    scored = [(2, 0.9)] * 3 + [("all", 0.9)] + [(1, 0.1)] * 11 + [(0, 0.1)]
    assert good(choices, scored) == Choice((0, 2, "all"))


def test_of_few_trials_nothing_is_concluded():
    assert searched_parameters(study_of(FloatDistribution(0, 1), [(0.1, 0.5)] * 7)) == []


def test_failed_trials_and_those_that_were_not_measured_do_not_count():
    study = study_of(FloatDistribution(0, 1), [(0.1, None)] * 8, state=TrialState.FAIL)
    assert searched_parameters(study) == []
