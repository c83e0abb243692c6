"""Which trial wins, and what is said of it beside the default."""

from dataclasses import replace

import pytest

from autoft.study.baselines import Baseline
from autoft.study.comparison import (
    beside_baselines,
    compare,
    default_of,
    nothing_learned,
    ranked,
    refit_standing,
    winner_of,
)
from autoft.study.refitted import Refitted

from ..report.records import info, trial


def scored(number, score, error=0.01, **changes):
    made = trial(number, values=(score,))
    return replace(made, measurements=(replace(made.measurements[0], error=error),), **changes)


DEFAULT = scored(0, 0.749, origin="default")


def test_within_the_noise_the_best_score_wins_and_the_figures_are_told():
    best = scored(4, 0.752)
    trials = [DEFAULT, scored(1, 0.7), best]
    assert winner_of(trials, "maximize") == best
    found = compare(best, trials)
    # sqrt(2) * 0.01 * sqrt(1.0625) = 0.0146
    assert found.verdict == (
        "The winner is better than the default (trial 0) by no more than noise: "
        "0.7520 against 0.7490, standard error 0.0146."
    )
    assert found.fact == "The default configuration (trial 0) has 0.7490."
    assert not found.is_default


def test_beyond_the_noise_the_best_wins_and_nothing_is_held_against_it():
    best = scored(4, 0.8)
    assert winner_of([DEFAULT, best, scored(5, 0.8)], "maximize") == best
    found = compare(best, [DEFAULT, best])
    assert (found.verdict, found.is_default) == (None, False)
    assert found.fact == "The default configuration (trial 0) has 0.7490."


@pytest.mark.parametrize(("loss", "winner"), [(0.74, 4), (0.70, 4), (0.76, 0)])
def test_a_smaller_loss_is_compared_as_a_larger_score_is(loss, winner):
    assert winner_of([DEFAULT, scored(4, loss)], "minimize").number == winner


@pytest.mark.parametrize("origin", ["first", None])
def test_without_a_finished_default_the_best_score_wins(origin):
    trials = [scored(0, 0.749, origin=origin), scored(4, 0.752), replace(DEFAULT, state="PRUNED")]
    assert winner_of(trials, "maximize").number == 4
    assert winner_of([], "maximize") is None


@pytest.mark.parametrize(("direction", "order"), [("maximize", [1, 2, 0, 3]), ("minimize", [0, 3, 1, 2])])
def test_of_equals_the_earliest_comes_first(direction, order):
    trials = [scored(0, 0.3), scored(1, 0.6), scored(2, 0.6), scored(3, 0.3)]
    assert [each.number for each in ranked(reversed(trials), direction)] == order
    assert winner_of(trials, direction).number == order[0]


def test_what_did_not_finish_cannot_win():
    unfinished = [
        replace(scored(n, 0.99), state=state) for n, state in enumerate(("PRUNED", "RUNNING", "FAIL"))
    ]
    assert winner_of(unfinished, "maximize") is None
    assert [each.number for each in ranked([*unfinished, scored(7, 0.5), scored(8, 0.6)], "maximize")] == [
        8,
        7,
    ]


def test_a_default_with_the_best_score_has_no_rival():
    found = compare(DEFAULT, [DEFAULT, scored(1, 0.7)])
    assert found.is_default
    assert found.fact == "It is the default configuration."
    assert found.verdict == "The winner is the default configuration: no other finished trial scored better."


def test_without_an_error_the_best_score_wins_and_nothing_is_claimed():
    winner = scored(4, 0.752, error=None)
    assert winner_of([DEFAULT, winner], "maximize") == winner
    found = compare(winner, [DEFAULT, winner])
    assert (found.fact, found.verdict) == ("The default configuration (trial 0) has 0.7490.", None)


@pytest.mark.parametrize("state", ["RUNNING", "PRUNED", "FAIL"])
def test_a_default_that_did_not_finish_is_none(state):
    assert default_of([replace(DEFAULT, state=state)]) is None
    assert compare(scored(4, 0.752), [replace(DEFAULT, state=state)]) is None


def test_what_the_user_queued_and_fewer_blocks_are_no_default():
    trials = [scored(0, 0.7, origin="first"), scored(1, 0.7, origin="shallow"), scored(2, 0.7)]
    assert default_of(trials) is None
    assert compare(trials[0], trials) is None
    assert compare(None, [DEFAULT]) is None


def baseline(name, score, error=0.01, objective="macro_f1"):
    return Baseline(name, {objective: score}, error, rows=10, train_rows=10, seconds=1.0)


@pytest.mark.parametrize(("score", "learned"), [(0.729, True), (0.74, False), (0.9, False)])
def test_who_does_not_beat_the_trivial_baseline_by_more_than_noise_has_learned_nothing(score, learned):
    about = replace(info(), baselines=(baseline("classical", 0.99), baseline("trivial", score)))
    said = nothing_learned(scored(4, 0.75), about)
    assert (said is None) == learned
    if said:
        assert said.startswith(
            f"nothing was learned: its macro_f1 is 0.7500, not better by more than noise than {score:.4f} "
        )
    assert nothing_learned(None, about) is None
    assert nothing_learned(scored(4, 0.75), replace(about, baselines=())) is None


FAILED = replace(baseline("frozen", 0.0), metrics={}, error=None, failed="MemoryError: too large")
TRIVIAL = baseline("trivial", 0.1)
# 0.01 * sqrt(2 * 0.5 + 0.75^2) = 0.0125; 1.64 of them are 0.0205


@pytest.mark.parametrize(
    ("classical", "said"),
    [
        (0.729, None),
        (
            0.74,
            "The winner is not better by more than noise than the classical baseline: "
            "0.7500 against 0.7400, standard error 0.0125.",
        ),
        (
            0.771,
            "The winner is worse than the classical baseline: 0.7500 against 0.7710, standard error 0.0125.",
        ),
    ],
)
def test_a_winner_that_does_not_beat_the_best_baseline_is_told(classical, said):
    about = replace(info(), baselines=(TRIVIAL, baseline("classical", classical), FAILED))
    assert beside_baselines(scored(4, 0.75), about) == said


@pytest.mark.parametrize(("loss", "told"), [(0.6, True), (0.9, False)])
def test_of_losses_the_lowest_baseline_is_the_best_one(loss, told):
    of = {"objective": "log_loss"}
    about = replace(
        info("minimize", "log_loss"),
        baselines=(baseline("trivial", 2.0, **of), baseline("classical", loss, **of)),
    )
    assert ("worse than the classical" in (beside_baselines(scored(4, 0.75), about) or "")) == told


@pytest.mark.parametrize(("classical", "told"), [(0.74, False), (0.75, True)])
def test_without_a_standard_error_a_lead_is_a_lead(classical, told):
    about = replace(info(), baselines=(baseline("classical", classical, error=None),))
    said = beside_baselines(scored(4, 0.75), about)
    assert said == (
        "The winner is no better than the classical baseline: 0.7500 against 0.7500." if told else None
    )


def test_without_baselines_or_a_winner_nothing_is_said():
    assert beside_baselines(scored(4, 0.75), info()) is None
    assert beside_baselines(scored(4, 0.75), replace(info(), baselines=(FAILED,))) is None
    assert beside_baselines(None, replace(info(), baselines=(TRIVIAL,))) is None


def test_how_the_winner_was_trained_again_stands_while_it_wins():
    best, other = scored(4, 0.8, seed=4), scored(5, 0.9, seed=5)
    about = replace(info(), refitted=Refitted(4, 4, 0, 100, None, "Trained again."))
    assert refit_standing(about, [DEFAULT, best]) == about.refitted
    assert refit_standing(about, [DEFAULT, best, other]) is None
    assert refit_standing(info(), [DEFAULT, best]) is None
    assert refit_standing(about, []) is None
