"""Seeds, measurements and the grid that pruning compares on."""

import pytest

from autoft.spec.space import Choice, Parameter, Range
from autoft.spec.study import SearchMethod
from autoft.study.trial_config import (
    fine_tune_config,
    measurements_of,
    report_step,
    report_steps_of,
    trial_seed,
)

from .scripted import make_spec


def test_seeds_fit_31_bits_and_differ_by_study_and_number() -> None:
    seeds = {trial_seed(study, number) for study in range(20) for number in range(200)}
    assert len(seeds) == 20 * 200
    assert min(seeds) >= 0
    assert max(seeds) < 2**31


def test_a_seed_never_changes() -> None:
    # blake2b("7:3", 4 bytes) without its top bit, by Python's hashlib; a study that goes on relies on it.
    assert trial_seed(7, 3) == 442239123


@pytest.mark.parametrize(
    ("per_epoch", "epochs", "expected"),
    [(None, 1, 12), (None, 6, 12), (2.0, 6, 12), (0.5, 3, 2), (0.1, 1, 1), (1.0, 4, 4)],
)
def test_measurements_are_a_dozen_or_follow_evaluations_per_epoch(
    per_epoch: float | None, epochs: int, expected: int
) -> None:
    assert measurements_of(SearchMethod(evaluations_per_epoch=per_epoch), epochs) == expected


@pytest.mark.parametrize(
    ("domain", "expected"),
    [(Range(2, 8, integer=True), 8), (Choice((2, 10)), 10), (Choice((1, 2)), 2)],
)
def test_the_grid_is_that_of_the_longest_trial(domain: Range | Choice, expected: int) -> None:
    search = SearchMethod(evaluations_per_epoch=1)
    spec = make_spec(parameters=[Parameter("epochs", domain)], search=search)
    assert report_steps_of(spec) == expected


@pytest.mark.parametrize("grid", range(1, 41))
def test_measurements_of_a_shorter_trial_stay_apart_on_the_grid(grid: int) -> None:
    for measurements in range(1, grid + 1):
        steps = [report_step(k / measurements, grid) for k in range(1, measurements + 1)]
        assert steps == sorted(set(steps))
        assert steps[-1] == grid
        assert steps[0] >= 1


def test_a_configuration_is_decided_in_the_types_of_the_kernel() -> None:
    spec = make_spec(fixed={"label_smoothing": 0, "unfreeze_depth": 2})
    config = fine_tune_config(spec, spec.space.resolve({"learning_rate": 1e-4}), seed=5, precision="fp32")
    assert (config.model, config.learning_rate, config.unfreeze_depth) == ("tiny", 1e-4, 2)
    assert (config.measurements, config.objective, config.seed) == (12, "macro_f1", 5)
    assert isinstance(config.task_values["label_smoothing"], float)
    assert isinstance(config.epochs, int)
