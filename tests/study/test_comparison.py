"""What is said of the winner beside the default, and when nothing is."""

from dataclasses import replace

import pytest

from autoft.study.comparison import compare, default_of

from ..report.records import trial


def scored(number, score, error=0.01, **changes):
    made = trial(number, values=(score,))
    return replace(made, measurements=(replace(made.measurements[0], error=error),), **changes)


DEFAULT = scored(0, 0.749, origin="default")


def test_within_the_noise_the_figures_are_told():
    winner = scored(4, 0.752)
    found = compare(winner, [DEFAULT, scored(1, 0.7), winner])
    # sqrt(2) * 0.01 * sqrt(1.0625) = 0.0146
    assert found.verdict == (
        "The winner is no better than the default configuration by more than noise: "
        "0.7520 against 0.7490, standard error 0.0146."
    )
    assert found.fact == "The default configuration (trial 0) has 0.7490."
    assert not found.is_default


def test_beyond_the_noise_nothing_is_held_against_it():
    winner = scored(4, 0.8)
    assert compare(winner, [DEFAULT, winner]).verdict is None


def test_a_smaller_loss_is_compared_as_a_larger_score_is():
    assert compare(scored(4, 0.74), [DEFAULT]).verdict is not None
    assert compare(scored(4, 0.70), [DEFAULT]).verdict is None


def test_the_winner_may_be_the_default_itself():
    found = compare(DEFAULT, [DEFAULT, scored(1, 0.7)])
    assert found.is_default
    assert found.fact == "It is the default configuration."
    assert found.verdict == "The winner is the default configuration: no other finished trial scored better."


def test_without_an_error_the_default_is_named_and_nothing_claimed():
    winner = scored(4, 0.752, error=None)
    found = compare(winner, [DEFAULT, winner])
    assert (found.fact, found.verdict) == ("The default configuration (trial 0) has 0.7490.", None)


@pytest.mark.parametrize("state", ["RUNNING", "PRUNED", "FAIL"])
def test_a_default_that_did_not_finish_is_none(state):
    assert default_of([replace(DEFAULT, state=state)]) is None
    assert compare(scored(4, 0.752), [replace(DEFAULT, state=state)]) is None


def test_what_the_user_queued_and_the_portfolio_are_no_default():
    trials = [scored(0, 0.7, origin="first"), scored(1, 0.7, origin="portfolio"), scored(2, 0.7)]
    assert default_of(trials) is None
    assert compare(trials[0], trials) is None
    assert compare(None, [DEFAULT]) is None
