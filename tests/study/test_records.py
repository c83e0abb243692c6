"""Records say what the study holds, and nothing else."""

import math
from pathlib import Path

import pytest

from autoft.errors import StudyError
from autoft.study.records import StudyInfo, best_trial, read_info, read_trial, read_trials, write_info
from autoft.study.sitting import Sitting
from autoft.study.storage import find_study, identity_of, open_study

from .scripted import make_spec, measurement


def sat(folder: Path, objective: str = "macro_f1", **changes: object) -> Sitting:
    spec = make_spec(trials=9, objective=objective, **changes)
    study = open_study(spec, folder, identity_of(spec, "digest"))
    return Sitting(study, spec, precision="fp32", watchers=[], folder=folder, max_concurrent=9)


def run_trial(sitting: Sitting, *values: float) -> None:
    assignment = sitting.next()
    assert assignment is not None
    for index, value in enumerate(values, start=1):
        made = measurement(index, len(values), value)
        metrics = {sitting.spec.objective: value, "train_loss": 1 / index}
        sitting.measured(assignment.number, 1, type(made)(**{**made.__dict__, "metrics": metrics}), "host")
    sitting.completed(assignment.number, 1, "host")


def test_a_record_is_read_back_whole_from_the_storage_alone(folder: Path) -> None:
    sitting = sat(folder)
    run_trial(sitting, 0.1, 0.4, 0.3)
    record = read_trial(find_study("study", folder), 0)
    assert (record.number, record.state, record.node) == (0, "COMPLETE", "host")
    assert record.params.keys() == {"learning_rate"}
    assert record.values["learning_rate"] == record.params["learning_rate"]
    assert record.values["epochs"] == 6
    assert record.measurements == tuple(
        measurement(k, 3, value) for k, value in enumerate((0.1, 0.4, 0.3), 1)
    )
    assert (record.score, record.best_index) == (0.4, 2)
    assert record.started is not None
    assert record.finished is not None
    assert record.started.tzinfo is not None
    assert record.duration_s == (record.finished - record.started).total_seconds() >= 0
    assert (record.reason, record.traceback, record.checkpoint) == (None, None, None)


def test_a_running_trial_has_a_record_and_a_waiting_one_none(folder: Path) -> None:
    sitting = sat(folder, first=({"learning_rate": 2e-5}, {"learning_rate": 3e-5}))
    assert sitting.next() is not None
    records = read_trials(sitting.study)
    assert [(record.number, record.state, record.score) for record in records] == [(0, "RUNNING", None)]
    assert records[0].duration_s is None
    with pytest.raises(StudyError, match="has trials 0 to 0, got 1"):
        read_trial(sitting.study, 1)


def test_the_best_trial_is_complete_and_the_earliest_of_equals(folder: Path) -> None:
    sitting = sat(folder)
    assert best_trial(sitting.study) is None
    for values in ((0.3, 0.2), (0.1, 0.5), (0.5, 0.4), (0.9, math.nan)):
        run_trial(sitting, *values)
    best = best_trial(sitting.study)
    assert best is not None
    assert (best.number, best.score, best.best_index) == (1, 0.5, 2)
    assert read_trial(sitting.study, 3).state == "FAIL"


def test_less_is_better_where_the_objective_is_a_loss(folder: Path) -> None:
    sitting = sat(folder, "log_loss")
    run_trial(sitting, 0.9, 0.4, 0.6)
    run_trial(sitting, 0.5, 0.7)
    best = best_trial(sitting.study)
    assert best is not None
    assert (best.number, best.score, best.best_index) == (0, 0.4, 2)
    assert sitting.study.best_value == 0.4


def test_the_description_is_read_back(folder: Path) -> None:
    study = sat(folder).study
    with pytest.raises(StudyError, match="no description"):
        read_info(study)
    info = StudyInfo(
        name="study",
        task="text-classification",
        models=("tiny",),
        objective="macro_f1",
        direction="maximize",
        fixed={"epochs": 6, "unfreeze_depth": "all"},
        data={"digest": "abc", "counts": {"train": {"a": 3}}},
        versions={"torch": "2.13"},
        text="study: study\n",
    )
    write_info(study, info)
    assert read_info(find_study("study", folder)) == info
