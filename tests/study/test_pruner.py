"""Each pruner stops what its rule says, at the steps of the grid."""

import random
from collections.abc import Mapping
from pathlib import Path

import optuna
import pytest
from optuna.pruners import BasePruner, HyperbandPruner, SuccessiveHalvingPruner

from autoft.spec.study import SearchMethod
from autoft.study.config import report_step
from autoft.study.pruner import make_pruner

HALVING = SearchMethod(pruner="successive_halving")
HYPERBAND = SearchMethod(pruner="hyperband")
MEDIAN = SearchMethod(pruner="median", pruner_options={"n_startup_trials": 1})


def survivals(method: SearchMethod, grid: int, heights: list[float]) -> list[int]:
    """The step at which each of these constant trials ended, one after another; `grid` is the end."""
    study = optuna.create_study(direction="maximize", pruner=make_pruner(method, grid))
    ended = []
    for height in heights:
        trial = study.ask()
        for step in range(1, grid + 1):
            trial.report(height, step)
            if step < grid and trial.should_prune():
                break
        study.tell(trial, height)
        ended.append(step)
    return ended


def steps(count: int, grid: int) -> list[int]:
    """Where the measurements of a trial that has `count` of them lie."""
    return [report_step(k / count, grid) for k in range(1, count + 1)]


def follow(study: optuna.Study, values: Mapping[int, float]) -> int:
    """The step at which a trial with these values by step ended; its last one is not judged."""
    trial = study.ask()
    for step, value in values.items():
        trial.report(value, step)
        if step < max(values) and trial.should_prune():
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return step
    study.tell(trial, value)
    return step


def test_a_long_trial_is_not_stopped_for_what_short_ones_reached_later() -> None:
    # Three measurements of 9 lie at 3, 6 and 9; on the same curve the long trial is at 0.3 before.
    curve = {1: 0.3, 2: 0.5, 3: 0.6, 4: 0.65, 5: 0.7, 6: 0.72, 7: 0.74, 8: 0.76, 9: 0.78}
    study = optuna.create_study(direction="maximize", pruner=make_pruner(HALVING, 9))
    for _ in range(3):
        assert follow(study, {step: curve[step] for step in (3, 6, 9)}) == 9
    assert follow(study, curve) == 9
    # At the third they do meet: what is better at step 1 and worse at step 3 stops there.
    assert follow(study, {**curve, 1: 0.4, 2: 0.5, 3: 0.55}) == 3
    # And a short one is judged where it begins.
    assert follow(study, {3: 0.59, 6: 0.9, 9: 0.9}) == 3


@pytest.mark.parametrize("method", [HALVING, HYPERBAND, MEDIAN])
@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_on_one_and_the_same_curve_nothing_is_stopped_whatever_the_trials_lengths(
    method: SearchMethod, direction: str
) -> None:
    rng = random.Random(f"{method.pruner} {direction}")
    for grid in (5, 12, 30):
        curve = sorted((rng.random() for _ in range(grid + 1)), reverse=direction == "minimize")
        study = optuna.create_study(direction=direction, pruner=make_pruner(method, grid), study_name="s")
        for _ in range(40):
            mine = {step: curve[step] for step in steps(rng.randint(1, grid), grid)}
            assert follow(study, mine) == grid


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_trials_off_the_rungs_stop_about_as_often_and_the_best_so_far_never(direction: str) -> None:
    # 5 measurements of 12 lie at 2, 5, 7 and 10, the rungs at 1, 3 and 9.
    rng, sign = random.Random(3), 1 if direction == "maximize" else -1
    study = optuna.create_study(direction=direction, pruner=make_pruner(HALVING, 12))
    best, went_on = -1.0, {5: 0, 12: 0}
    for number in range(300):
        count, height = (5, 12)[number % 2], rng.random()
        ended = follow(study, {step: sign * (height + step) for step in steps(count, 12)})
        assert ended == 12 or height < best
        best = max(best, height)
        went_on[count] += ended > {5: 5, 12: 3}[count]
    assert went_on[12] > 10
    assert abs(went_on[5] - went_on[12]) <= 5


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize("options", [{}, {"min_resource": 2, "reduction_factor": 2}])
@pytest.mark.parametrize("method", ["successive_halving", "hyperband"])
def test_trials_on_the_same_steps_are_judged_as_by_optuna(
    method: str, options: dict[str, int], direction: str
) -> None:
    resource, factor = options.get("min_resource", 1), options.get("reduction_factor", 3)
    optunas: dict[str, BasePruner] = {
        "successive_halving": SuccessiveHalvingPruner(resource, factor),
        "hyperband": HyperbandPruner(resource, 27, factor),
    }

    def ends(pruner: BasePruner) -> tuple[list[int], set[int]]:
        rng = random.Random(5)
        study = optuna.create_study(direction=direction, pruner=pruner, study_name="same")
        curves = [{step: rng.random() for step in range(1, 28)} for _ in range(150)]
        ended = [follow(study, curve) for curve in curves]
        return ended, set(ended)

    ours, stops = ends(make_pruner(SearchMethod(pruner=method, pruner_options=options), 27))
    assert ours == ends(optunas[method])[0]
    assert len(stops) > 2


def test_pruning_goes_on_in_a_reopened_study(tmp_path: Path) -> None:
    rng, url = random.Random(9), f"sqlite:///{tmp_path / 'study.db'}"
    curves = [{s: rng.random() for s in steps(rng.randint(2, 12), 12)} for _ in range(25)]
    whole = optuna.create_study(direction="maximize", pruner=make_pruner(HALVING, 12))
    reopened = []
    for curve in curves:
        study = optuna.create_study(
            storage=url,
            study_name="s",
            direction="maximize",
            pruner=make_pruner(HALVING, 12),
            load_if_exists=True,
        )
        reopened.append(follow(study, curve))
    assert reopened == [follow(whole, curve) for curve in curves]
    assert len(set(reopened)) > 2


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_a_value_that_is_no_number_takes_no_place_among_the_others(value: float) -> None:
    study = optuna.create_study(direction="minimize", pruner=make_pruner(HALVING, 12))
    broken = study.ask()
    broken.report(0.5, 3)
    assert not broken.should_prune()
    broken.report(value, 4)
    study.tell(broken, state=optuna.trial.TrialState.FAIL)
    assert follow(study, {4: 0.9, 8: 0.9, 12: 0.9}) == 12


def test_successive_halving_looks_at_steps_1_3_and_9() -> None:
    # One in three goes on from a rung; while fewer than three are there, the best.
    # Rung 1 sees .5 | .4 | .6 | .55 (of 4, one) | .7 | .58 (of 6, two: .7 and .6).
    heights = [0.5, 0.4, 0.6, 0.55, 0.7, 0.58]
    assert survivals(SearchMethod(pruner="successive_halving"), 12, heights) == [12, 1, 12, 1, 12, 1]


def test_successive_halving_takes_its_options() -> None:
    # With min_resource 2 and eta 2 the rungs are 2, 4, 8; of four, two go on.
    method = SearchMethod(
        pruner="successive_halving", pruner_options={"min_resource": 2, "reduction_factor": 2}
    )
    assert survivals(method, 12, [0.5, 0.4, 0.3, 0.6]) == [12, 2, 2, 12]


def test_median_waits_for_its_startup_trials() -> None:
    # The third trial is the first to be compared, with the median of .5 and .6.
    method = SearchMethod(pruner="median", pruner_options={"n_startup_trials": 2, "n_warmup_steps": 3})
    assert survivals(method, 12, [0.5, 0.6, 0.52, 0.58]) == [12, 12, 3, 12]


def test_median_leaves_out_trials_without_that_step() -> None:
    study = optuna.create_study(direction="maximize", pruner=make_pruner(MEDIAN, 12))
    assert follow(study, {4: 0.5, 8: 0.6, 12: 0.7}) == 12
    assert follow(study, {3: 0.1, 4: 0.2, 6: 0.3, 12: 0.4}) == 4


def test_hyperband_knows_the_largest_resource_before_any_trial_has_finished() -> None:
    pruner = make_pruner(SearchMethod(pruner="hyperband"), 27)
    study = optuna.create_study(direction="maximize", pruner=pruner, study_name="hyperband")
    trial = study.ask()
    trial.report(0.5, 1)
    trial.should_prune()
    assert pruner._n_brackets == 4  # log_3(27 / 1) + 1, arXiv 1603.06560


def test_none_stops_nothing() -> None:
    assert survivals(SearchMethod(pruner="none"), 4, [0.5, 0.1, 0.0]) == [4, 4, 4]


def test_an_unknown_pruner_is_refused() -> None:
    with pytest.raises(KeyError):
        make_pruner(SearchMethod(pruner="hope"), 12)
