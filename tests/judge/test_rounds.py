"""Which replicas come next, for every relation of what has ended."""

import numpy as np
import pytest

from autoft.judge.expected import Scores
from autoft.judge.rounds import rounds
from autoft.spec.metrics import Metric

MORE, LESS = Metric("macro_f1", "maximize", ""), Metric("log_loss", "minimize", "")
SEEDS = 5
BEST, NEAR, FAR = (0.800, 0.802), (0.799, 0.801), (0.100, 0.102)
"""What replicas score, by turns. Variances of 2e-6 over 2 seeds each: a difference has the standard error
0.0014, and Student's t of 2 degrees of freedom is 14.1 at 0.995 (0.99 of two comparisons): 0.02 is needed."""


def scored(value):
    """On rows that say nothing: only the seeds' scores count. None failed."""
    return None if value is None else Scores(np.array([value]), np.full((5, 1), value))


def shown(values, seeds):
    return {
        trial: {place: scored(of[place % len(of)]) for place in range(seeds[trial])}
        for trial, of in values.items()
    }


def played(values, metric=MORE):
    """From the first round to the last: how many seeds each has in every round, and what was dropped."""
    asked, so_far = [], shown(values, dict.fromkeys(values, 0))
    while True:
        found = rounds(metric, SEEDS, so_far)
        if asked and found.seeds == asked[-1]:
            return asked, found.dropped
        asked.append(dict(found.seeds))
        so_far = shown(values, found.seeds)


def test_a_tie_has_all_seeds_round_by_round():
    asked, dropped = played({3: BEST, 5: NEAR, 0: BEST})
    assert asked == [dict.fromkeys((3, 5, 0), seeds) for seeds in (2, 3, 4, 5)]
    assert dropped == ()


@pytest.mark.parametrize("metric", [MORE, LESS])
def test_what_cannot_win_is_dropped_and_its_seeds_go_to_the_two_best(metric):
    """15 in all: 2 for the dropped one, 10 for the two, and of the 3 that are left one each."""
    sign = 1 if metric is MORE else -1
    values = {3: BEST, 5: NEAR, 0: FAR}
    values = {trial: tuple(sign * value for value in of) for trial, of in values.items()}
    asked, dropped = played(values, metric)
    assert asked[0] == {3: 2, 5: 2, 0: 2} and asked[1] == {3: 3, 5: 3, 0: 2}
    assert asked[-1] == {3: 6, 5: 6, 0: 2}
    assert dropped == (0,)


def test_it_is_over_when_all_but_one_are_dropped_and_with_one_alone():
    assert played({3: BEST, 0: FAR}) == ([{3: 2, 0: 2}], (0,))
    assert played({3: BEST}) == ([{3: 2}], ())


def test_nothing_is_decided_before_the_round_has_ended_in_whatever_order():
    values = {3: BEST, 5: NEAR, 0: FAR}
    whole = shown(values, {3: 3, 5: 3, 0: 2})
    expected = rounds(MORE, SEEDS, whole)
    assert expected.seeds == {3: 4, 5: 4, 0: 2}
    for trial, place in [(3, 0), (5, 2), (0, 1)]:
        partial = {
            each: {p: s for p, s in of.items() if (each, p) != (trial, place)} for each, of in whole.items()
        }
        found = rounds(MORE, SEEDS, partial)
        assert found.seeds in ({3: 2, 5: 2, 0: 2}, {3: 3, 5: 3, 0: 2})  # that one is among them
        assert place < found.seeds[trial]
        partial[trial][place] = whole[trial][place]
        assert rounds(MORE, SEEDS, partial) == expected
    backwards = {each: dict(reversed(of.items())) for each, of in whole.items()}
    assert rounds(MORE, SEEDS, backwards) == expected


def test_what_was_trained_beyond_the_need_changes_nothing():
    """A larger budget may have made another candidate of a trial that had its seeds before."""
    more = shown({3: BEST, 5: NEAR, 0: FAR}, {3: 5, 5: 2, 0: 5})
    assert rounds(MORE, SEEDS, more) == rounds(
        MORE, SEEDS, shown({3: BEST, 5: NEAR, 0: FAR}, {3: 3, 5: 2, 0: 2})
    )


def test_a_replica_that_failed_counts_as_a_seed_but_not_as_a_score():
    asked, dropped = played({3: BEST, 5: (None,), 0: FAR})
    assert asked[-1] == {
        3: 5,
        5: 5,
        0: 2,
    }  # of two that could be compared one is dropped, so nobody gets more
    assert dropped == (0,)
    assert played({3: (None,), 5: (None,)}) == ([{3: n, 5: n} for n in (2, 3, 4, 5)], ())
