"""Each pruner stops what its rule says, at the steps of the grid."""

import optuna
import pytest

from autoft.spec.study import SearchMethod
from autoft.study.pruner import make_pruner


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
