"""Which replicas a confirmation trains, and on which seeds."""

from dataclasses import replace

from autoft.judge.replicas import owners, replica_seeds, replicas, request_of
from autoft.spec.study import Confirm
from autoft.study.comparison import candidates_of, standing, winner_of
from autoft.study.confirmed import Confirmed
from autoft.study.planned import plan

from ..report.records import trial
from ..study.scripted import make_spec

SPEC = make_spec(confirm=Confirm(top=2, seeds=3))


def scored(number, score, rate, **changes):
    return replace(trial(number, values=(score,), learning_rate=rate), **changes)


TRIALS = [
    scored(0, 0.5, 1e-5, origin="default"),
    scored(1, 0.9, 2e-5, state="PRUNED"),
    scored(2, 0.7, 3e-5),
    scored(3, 0.6, 3e-5),  # the same configuration as trial 2
    scored(4, 0.6, 4e-5),
    scored(5, 0.55, 5e-5),
]


def test_the_best_complete_ones_of_different_values_are_compared_and_the_default():
    assert [each.number for each in candidates_of(TRIALS, "maximize", 2)] == [2, 4, 0]
    assert [each.number for each in candidates_of(TRIALS, "minimize", 2)] == [0, 5]
    assert candidates_of([TRIALS[1]], "maximize", 2) == []


def test_seeds_are_fresh_and_more_of_them_begin_with_the_same():
    seeds = replica_seeds(7, TRIALS[2], 5)
    assert len(set(seeds)) == 5 and TRIALS[2].seed not in seeds
    assert replica_seeds(7, TRIALS[2], 3) == seeds[:3]
    assert set(seeds).isdisjoint({*replica_seeds(7, TRIALS[4], 5), *replica_seeds(8, TRIALS[2], 5)})
    unlucky = replace(TRIALS[2], seed=seeds[0])
    assert replica_seeds(7, unlucky, 4) == seeds[1:5]


def planned(trials, seeds):
    candidates = candidates_of(trials, "maximize", 2)
    return replicas(SPEC, candidates, {each.number: seeds for each in candidates})


def test_other_candidates_need_only_what_is_missing():
    before = planned(TRIALS, 3)
    assert [each.values["learning_rate"] for each in before] == [3e-5, 4e-5, 1e-5] * 3
    begun, better = before[:7], [*TRIALS, scored(6, 0.8, 6e-5)]
    after = plan(begun, planned(better, 3))
    assert after[:7] == begun
    # Trial 4 is compared no longer, and what it had not begun is not trained.
    assert sum(each.values["learning_rate"] == 4e-5 for each in after) == 2
    assert after[7:] == [each for each in planned(better, 3) if each not in begun]
    assert len(after) == 7 + 3 + 1  # three of trial 6, and trial 0's third; trial 2's three were begun


def test_of_a_candidate_that_was_dropped_come_no_more():
    candidates = candidates_of(TRIALS, "maximize", 2)
    rates = [each.values["learning_rate"] for each in replicas(SPEC, candidates, {2: 4, 4: 4, 0: 2})]
    assert rates == [3e-5, 4e-5, 1e-5] * 2 + [3e-5, 4e-5] * 2


def test_each_seed_has_its_owner_also_those_that_others_leave():
    candidates = candidates_of(TRIALS, "maximize", 2)
    owner = owners(SPEC, candidates)
    assert len(owner) == 3 * 9  # one of three could have the seeds of all
    for each in candidates:
        seeds = replica_seeds(SPEC.search.seed, each, 9)
        assert [owner[seed] for seed in seeds] == [(each.number, place) for place in range(9)]


def test_what_is_needed_twice_is_planned_twice():
    """A refit that failed is tried again: the same trial."""
    one, other, *_ = planned(TRIALS, 2)
    assert plan([one], [one]) == [one]
    assert plan([one], [one, one]) == plan([], [one, one]) == [one, one]
    assert plan([other, one], [one, one]) == [other, one, one]


def test_the_request_differs_in_what_decides_but_in_nothing_that_trains():
    request = request_of(SPEC, 9)
    assert (request.study, request.budget.trials, request.checkpoints.keep) == ("study/confirm", 9, 9)
    assert (request.search.pruner, request.confirm, request.tracking.experiment) == ("none", None, "study")
    assert (request.space, request.search.evaluations_per_epoch) == (
        SPEC.space,
        SPEC.search.evaluations_per_epoch,
    )


def test_a_confirmation_stands_while_the_same_trials_would_be_compared():
    found = Confirmed("macro_f1", 9, 2, 3, (2, 4, 0), (), "default", 0, None, "", "id", 1, 5, 0.6)
    assert standing(found, TRIALS, "maximize") == found
    assert winner_of(TRIALS, "maximize", found) == TRIALS[0]
    assert winner_of([*TRIALS, scored(6, 0.58, 7e-5)], "maximize", found) == TRIALS[0]
    better = scored(7, 0.65, 8e-5)
    assert standing(found, [*TRIALS, better], "maximize") is None
    assert winner_of([*TRIALS, better], "maximize", found) == TRIALS[2]
