"""Where trials stand, and where they are likely to end."""

import math
from collections.abc import Mapping

import numpy as np
import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from autoft.study.curves import MIN_TO_EXTRAPOLATE, Curves, Line, last_step


def trial(number: int, values: Mapping[int, float], state: TrialState = TrialState.COMPLETE) -> FrozenTrial:
    value = max(values.values()) if state == TrialState.COMPLETE else None
    made = create_trial(state=state, value=value, intermediate_values=dict(values))
    made.number = number
    return made


def test_a_trial_stands_with_its_best_value_so_far() -> None:
    curves = Curves(5, maximize=True)
    stands = curves.best_so_far(trial(0, {2: 0.5, 3: 0.4, 5: 0.6}))
    assert stands.tolist() == pytest.approx([math.nan, 0.5, 0.5, 0.5, 0.6], nan_ok=True)
    running = trial(1, {1: 0.1, 2: 0.3}, TrialState.RUNNING)
    assert curves.best_so_far(running).tolist() == pytest.approx([0.1, 0.3, *[math.nan] * 3], nan_ok=True)
    assert curves.current(running) == 0.3
    assert last_step(running) == 2
    assert math.isnan(curves.current(trial(2, {}, TrialState.RUNNING)))


def test_where_less_is_better_values_are_turned() -> None:
    curves = Curves(3, maximize=False)
    stands = curves.best_so_far(trial(0, {1: 0.9, 2: 0.4, 3: 0.5}))
    assert stands.tolist() == [-0.9, -0.4, -0.4]
    assert curves.value(-0.4) == 0.4


def test_a_value_that_is_no_number_is_passed_over() -> None:
    stands = Curves(3, maximize=True).best_so_far(trial(0, {1: 0.2, 2: math.nan, 3: math.inf}))
    assert stands.tolist() == [0.2, 0.2, 0.2]


def test_a_running_trial_is_read_anew_and_an_ended_one_once() -> None:
    curves, running = Curves(3, maximize=True), trial(0, {1: 0.2}, TrialState.RUNNING)
    assert curves.current(running) == 0.2
    running.intermediate_values[2] = 0.7
    assert curves.current(running) == 0.7


def test_the_line_is_that_of_least_squares() -> None:
    random = np.random.default_rng(4)
    stood = random.uniform(0.2, 0.6, 9)
    ended = 0.3 + 0.6 * stood + random.normal(0, 0.02, 9)
    slope, intercept = np.polyfit(stood, ended, 1)
    assert Line(stood, ended).end(0.35) == pytest.approx(intercept + 0.35 * slope)


@pytest.mark.parametrize(("ended", "slope"), [([0.9, 0.8, 0.7, 0.6], 0.0), ([0.1, 0.5, 0.9, 1.3], 1.0)])
def test_whoever_is_ahead_does_not_fall_behind_nor_run_away(ended: list[float], slope: float) -> None:
    line = Line(np.array([0.1, 0.2, 0.3, 0.4]), np.array(ended))
    assert line.end(0.4) - line.end(0.1) == pytest.approx(slope * 0.3)


def test_nothing_is_said_before_enough_have_finished() -> None:
    curves = Curves(4, maximize=True)
    finished = [trial(n, {2: n / 10, 4: 0.5 + n / 10}) for n in range(MIN_TO_EXTRAPOLATE)]
    assert curves.line(2, finished[1:]) is None
    assert curves.line(1, finished) is None  # none of them was measured there
    line = curves.line(2, finished)
    assert line is not None
    assert line.end(0.15) == pytest.approx(0.65)


def test_values_at_the_full_budget() -> None:
    curves = Curves(4, maximize=True)
    finished = [trial(n, {2: n / 10, 4: 0.5 + n / 10}) for n in range(4)]
    stopped = trial(4, {2: 0.05}, TrialState.PRUNED)
    running = trial(5, {2: 0.9}, TrialState.RUNNING)
    ahead = trial(6, {2: 0.6}, TrialState.RUNNING)
    unmeasured = trial(7, {}, TrialState.RUNNING)
    ends = curves.at_full_budget([*finished, stopped, running, ahead, unmeasured])
    assert ends == pytest.approx(
        {
            **{n: 0.5 + n / 10 for n in range(4)},
            4: 0.55,  # on the line
            5: 0.9,  # where it stands, for it stands above the line's end and the best that has ended
            6: 0.8,  # the line says 1.1, and 0.8 is the best that has ended
        }
    )


def test_the_final_value_of_a_trial_that_early_stopping_ended_stands_at_all_later_steps() -> None:
    curves = Curves(4, maximize=True)
    early = trial(0, {1: 0.3, 2: 0.2})
    assert curves.best_so_far(early).tolist() == [0.3] * 4
    rest = [trial(n, {2: n / 10, 4: 0.5 + n / 10}) for n in (1, 2, 3)]
    pruned, running = trial(4, {2: 0.5}, TrialState.PRUNED), trial(5, {3: 0.05}, TrialState.RUNNING)
    known, values = curves.at(3, [early, *rest, pruned, running])
    assert [each.number for each in known] == [0, 1, 2, 3, 5]
    assert values.tolist() == pytest.approx([0.3, 0.1, 0.2, 0.3, 0.05])
    ends = curves.at_full_budget([early, *rest, pruned, running])
    assert ends[0] == 0.3  # not on the line
    slope, intercept = np.polyfit([0.3, 0.1, 0.2, 0.3], [0.3, 0.6, 0.7, 0.8], 1)
    assert slope < 0  # so the line is flat, at the mean
    assert ends[5] == pytest.approx(0.6)
    assert intercept > 0.6


def test_where_early_values_say_nothing_a_stopped_trial_is_expected_in_the_middle() -> None:
    curves = Curves(4, maximize=True)
    finished = [trial(n, {1: 0.5, 4: value}) for n, value in enumerate([0.5, 0.6, 0.8, 0.9])]
    ends = curves.at_full_budget([*finished, trial(4, {1: 0.49}, TrialState.PRUNED)])
    assert ends[4] == pytest.approx(0.7)
