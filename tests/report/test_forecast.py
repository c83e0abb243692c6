"""The arithmetic of a forecast; expected numbers are worked out by hand beside it."""

import pytest

from autoft.report.forecast import BETWEEN_TRIALS_S, DiskNeed, Pace, Tried, time_for, trials_within


def tried(**changes):
    of = {"values": {}, "node": "n", "step_s": 0.5, "evaluation_s": 0.01, "start_s": 3.0, "host_bytes": 10**9}
    rest = {"gpu_bytes": 0, "checkpoint_bytes": 100, "resume_bytes": 300, "micro_batch": None}
    return Tried(**{**of, **rest, **changes})


def test_a_trial_takes_its_steps_and_its_evaluations():
    assert tried().trial_s(100, 4, 50) == pytest.approx(BETWEEN_TRIALS_S + 100 * 0.5 + 4 * 50 * 0.01)
    # Rows half as long: the steps take half.
    assert tried().trial_s(100, 4, 50, 0.5) == pytest.approx(BETWEEN_TRIALS_S + 25 + 2)


def test_kinds_of_nodes_add_up():
    paces = [Pace(1, 1.0, 10.0), Pace(3, 2.0, 20.0)]
    # A second brings 1 + 1.5 trials at best; 0.1 + 0.15 at worst.
    assert time_for(50, paces) == (pytest.approx(20.0), pytest.approx(200.0))
    assert trials_within(100, paces) == (10 + 3 * 5, 250)


def test_one_trial_takes_as_long_as_a_trial_however_many_places_there_are():
    assert time_for(1, [Pace(64, 2.0, 20.0)]) == (2.0, 20.0)
    assert time_for(0, [Pace(64, 2.0, 20.0)]) == (0.0, 0.0)
    assert trials_within(19, [Pace(64, 2.0, 20.0)])[0] == 0


def test_the_disk_holds_the_best_trials_and_those_that_run():
    need = DiskNeed.of([tried(), tried(checkpoint_bytes=200, resume_bytes=600)], 3, 2, 50, 1000)
    # Three kept and two running with two files each; two places with two files each.
    assert (need.checkpoints, need.going_on) == (200 * (3 + 2 * 2), 600 * 2 * 2)
    assert need.total == 1400 + 2400 + 50 + 2 * 1000
