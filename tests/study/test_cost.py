"""Seconds by hand: `records.trial` runs from 20:00 to 20:02, and measures each second."""

from dataclasses import replace
from datetime import timedelta

import optuna
import pytest

from autoft.kernel.boundary.plan import Boundary, CachePlan
from autoft.study.cost import cost_of, spared_by_storing_s
from autoft.study.stop import Stop

from ..report.records import BEGAN, trial

STOP = Stop(rival=0, share=0.25, behind=0.1)


def later(record, minutes):
    return replace(
        record,
        started=BEGAN + timedelta(minutes=minutes),
        finished=record.finished + timedelta(minutes=minutes),
    )


def test_trials_side_by_side_take_their_time_together_and_the_night_once():
    whole = (0.1, 0.2, 0.3, 0.4)
    trials = [trial(0, values=whole), later(trial(1, values=whole), 1), later(trial(2, values=whole), 10)]
    cost = cost_of(optuna.create_study(), trials)
    assert cost.elapsed_s == 180 + 120  # 20:00 to 20:03, and 20:10 to 20:12
    assert (cost.trials_s, cost.gpu_s, cost.spared_s) == (12, 0, 0)


def test_a_stopped_trial_spares_what_it_would_have_taken_at_its_pace():
    # One of four measurements after a second: three seconds are spared.
    cost = cost_of(optuna.create_study(), [trial(0, "PRUNED", values=(0.1,), stop=STOP)])
    assert (cost.trials_s, cost.spared_s) == pytest.approx((1, 3))


def test_a_trial_that_runs_counts_until_its_last_measurement():
    cost = cost_of(optuna.create_study(), [trial(0, "RUNNING", values=(0.1, 0.2))])
    assert (cost.elapsed_s, cost.trials_s) == (2, 2)


def test_a_trial_that_was_not_measured_costs_nothing_that_is_known():
    assert cost_of(optuna.create_study(), [trial(0, "FAIL", values=())]).trials_s == 0


def test_stored_states_spare_what_a_pass_takes_less_times_the_passes_but_for_the_one_that_fills():
    kept = Boundary("m", 64, 4, "ragged", (8,), 1, depths=(2,), pass_spares_s=3.0)
    plan = CachePlan(boundaries=(kept,))
    values = {"model": "m", "max_length": 64, "unfreeze_depth": 2}
    trials = [replace(trial(0, values=(0.1, 0.2)), values=values)]  # 2 epochs, 2 measurements
    trials += [replace(each, values=values | {"unfreeze_depth": "all"}) for each in trials]
    # 2 x 80 and 2 x 20 rows are two passes over 100; the first one fills. Depth all reads nothing.
    assert spared_by_storing_s(plan, trials, {"train": 80, "validation": 20}) == pytest.approx(3.0)
    assert spared_by_storing_s(plan, trials[1:], {"train": 80, "validation": 20}) == 0
