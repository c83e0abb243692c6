"""What a study begins with, in whatever space."""

from dataclasses import replace
from pathlib import Path

import pytest

from autoft.spec.read import read_spec
from autoft.spec.recommended import learning_rate, recommended
from autoft.spec.study import StudySpec
from autoft.study.records import read_trials
from autoft.study.sitting import Sitting
from autoft.study.start import Point, Start, plan_start, read_start, write_start
from autoft.study.storage import identity_of, open_study

from .scripted import CONDITIONAL, make_spec, measurement

ROWS, PARAMETERS, BLOCKS = 2_000, 110_000_000, 12
POINT = Point(rate=2.0, depth=1 / 3, dropout=0.2, weight_decay=0.05, batch_size=32, epochs=0.5)


def spec_of(**space: object) -> StudySpec:
    return read_spec(
        {
            "study": "s",
            "task": "text-classification",
            "model": "org/name",
            "data": {"inputs": "text", "target": "label"},
            "objective": "macro_f1",
            "space": space,
            "budget": {"trials": 5},
        },
        in_memory_data=True,
    )


def start_of(spec: StudySpec, *points: Point) -> Start:
    start = plan_start(spec, ROWS, PARAMETERS, BLOCKS, points)
    assert start is not None
    return start


def test_the_default_is_the_recommended_configuration_of_what_is_searched() -> None:
    usual = recommended(ROWS, PARAMETERS)
    default = start_of(spec_of(batch_size=[16, 32])).default
    names = {"learning_rate", "unfreeze_depth", "dropout", "weight_decay", "batch_size"}
    assert default.keys() & names == names
    assert all(default[name] == usual[name] for name in default)


def test_outside_the_space_the_default_is_moved_to_what_is_nearest_there() -> None:
    spec = spec_of(
        learning_rate={"low": 1e-6, "high": 1e-5, "log": True},
        unfreeze_depth=[0, 2, 8],
        dropout={"low": 0.25, "high": 0.4},
        weight_decay=0.3,
        batch_size=[64, 128],
        epochs={"low": 1, "high": 2},
    )
    assert start_of(spec).default == {
        "learning_rate": 1e-5,
        "unfreeze_depth": 8,  # `all` is more than all 12 blocks
        "dropout": 0.25,
        "batch_size": 64,
        "epochs": 2,
    }


def test_a_step_of_the_space_is_kept() -> None:
    default = start_of(spec_of(dropout={"low": 0.06, "high": 0.36, "step": 0.06})).default
    assert default["dropout"] == pytest.approx(0.12)


def test_what_does_not_count_is_left_out() -> None:
    space = {
        "unfreeze_depth": [0, 2],
        "weight_decay": {"low": 1e-3, "high": 0.1, "log": True, "unless": {"unfreeze_depth": 2}},
    }
    assert "weight_decay" not in start_of(spec_of(**space)).default


def test_a_point_means_a_share_of_the_model_and_a_multiple_of_the_recommended_values() -> None:
    usual = recommended(ROWS, PARAMETERS)
    spec = spec_of(
        unfreeze_depth=[0, 2, 4, "all"],
        batch_size=[16, 32],
        epochs={"low": 1, "high": 20},
    )
    (params,) = start_of(spec, POINT).portfolio
    assert params == {
        "learning_rate": pytest.approx(2 * float(usual["learning_rate"])),
        "unfreeze_depth": 4,
        "dropout": 0.2,
        "weight_decay": 0.05,
        "batch_size": 32,
        "epochs": max(1, round(float(usual["epochs"]) / 2)),
    }


@pytest.mark.parametrize(
    "space",
    [
        {"learning_rate": {"low": 1e-6, "high": 2e-5, "log": True}},
        {"unfreeze_depth": [0, "all"]},
        {"dropout": {"low": 0.3, "high": 0.4}},
        {"batch_size": [16, 64]},
        {"lr_schedule": ["cosine"], "weight_decay": {"low": 0.1, "high": 0.3, "log": True}},
    ],
)
def test_a_point_outside_the_space_is_left_out_and_counted(space: dict[str, object]) -> None:
    start = start_of(spec_of(**space), POINT, replace(POINT, rate=1.0))
    assert start.portfolio == ()
    assert start.left_out == 2


def test_a_depth_moves_by_a_sixth_of_the_blocks() -> None:
    (params,) = start_of(spec_of(unfreeze_depth=[0, 6, 11]), POINT).portfolio
    assert params["unfreeze_depth"] == 6


def test_what_is_fixed_is_no_hindrance_and_equal_points_are_tried_once() -> None:
    start = start_of(spec_of(batch_size=64), POINT, replace(POINT, batch_size=8))
    assert len(start.portfolio) == 1
    assert "batch_size" not in start.portfolio[0]


def test_a_random_start_has_neither() -> None:
    spec = spec_of()
    spec = replace(spec, search=replace(spec.search, start="random"))
    assert plan_start(spec, ROWS, PARAMETERS, BLOCKS, (POINT,)) is None


def test_small_models_and_few_rows_get_larger_rates_and_more_epochs() -> None:
    assert learning_rate(110_000_000) == 5e-5
    assert learning_rate(22_000_000) > learning_rate(110_000_000) > learning_rate(340_000_000)
    epochs = [recommended(rows, PARAMETERS)["epochs"] for rows in (100, 1_000, 10_000, 1_000_000)]
    assert epochs == sorted(epochs, reverse=True)
    assert epochs[0] > epochs[1] > epochs[2] == epochs[3]


def test_default_then_what_the_user_queued_then_the_portfolio_then_the_sampler(folder: Path) -> None:
    portfolio = ({"unfreeze_depth": 1, "learning_rate": 2e-4}, {"unfreeze_depth": 2, "learning_rate": 3e-4})
    start = Start({"unfreeze_depth": 0, "learning_rate": 1e-4}, portfolio, left_out=0)
    first = ({"unfreeze_depth": "all", "learning_rate": 9e-4},)
    spec = make_spec(trials=6, parameters=CONDITIONAL, first=first)

    def go_on(count: int) -> Sitting:
        study = open_study(spec, folder, identity_of(spec, "digest"), start)
        sitting = Sitting(study, spec, precision="fp32", watchers=[], folder=folder, max_concurrent=1)
        for _ in range(count):
            begun = sitting.next()
            assert begun is not None
            sitting.measured(begun.number, 1, measurement(1, 1, 0.5), "node")
            sitting.completed(begun.number, 1)
        return sitting

    go_on(1)
    go_on(2)  # a later sitting goes on where the start stands
    study = go_on(3).study
    trials = read_trials(study)
    assert [trial.origin for trial in trials] == ["default", "first", "portfolio", "portfolio", None, None]
    depths = [trial.params["unfreeze_depth"] for trial in trials]
    rates = [trial.params["learning_rate"] for trial in trials]
    assert depths[:4] == [0, "all", 1, 2]
    assert rates[:4] == [1e-4, 9e-4, 2e-4, 3e-4]
    assert "dropout" in trials[2].params  # what a point does not say is sampled
    assert read_start(study) == start


def test_a_study_keeps_the_start_that_it_was_made_with(folder: Path) -> None:
    spec = make_spec(parameters=CONDITIONAL)
    made = Start({"learning_rate": 1e-4}, (), 0)
    open_study(spec, folder, identity_of(spec, "digest"), made)
    again = open_study(spec, folder, identity_of(spec, "digest"), Start({"learning_rate": 2e-4}, (), 0))
    assert read_start(again) == made
    assert len(again.get_trials()) == 1


def test_without_a_start_nothing_is_queued(folder: Path) -> None:
    spec = make_spec(parameters=CONDITIONAL)
    study = open_study(spec, folder, identity_of(spec, "digest"))
    write_start(study, None)
    assert read_start(study) is None
    assert study.get_trials() == []
