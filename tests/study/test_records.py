"""Records say what the study holds, and nothing else."""

import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from autoft.data.finding import Finding
from autoft.errors import StudyError
from autoft.study.baselines import Baseline, write_baselines
from autoft.study.identity import identity_of
from autoft.study.records import StudyInfo, read_info, read_trial, read_trials, write_info
from autoft.study.start import Start
from autoft.study.stop import Stop
from autoft.study.storage import find_study, open_study
from autoft.study.tuner import Tuner

from .scripted import make_spec, measurement


def sat(folder: Path, objective: str = "macro_f1", **changes: object) -> Tuner:
    spec = make_spec(trials=9, objective=objective, **changes)
    study = open_study(spec, folder, identity_of(spec, "digest"))
    return Tuner(study, spec, precision="fp32", callbacks=[], folder=folder, max_concurrent=9)


def run_trial(tuner: Tuner, *values: float) -> None:
    assignment = tuner.next()
    assert assignment is not None
    for index, value in enumerate(values, start=1):
        made = measurement(index, len(values), value)
        metrics = {tuner.spec.objective: value, "train_loss": 1 / index}
        tuner.measured(assignment.number, 1, type(made)(**{**made.__dict__, "metrics": metrics}), "host")
    tuner.completed(assignment.number, 1, "host")


def test_a_record_is_read_back_whole_from_the_storage_alone(folder: Path) -> None:
    tuner = sat(folder)
    run_trial(tuner, 0.1, 0.4, 0.3)
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


def test_the_standard_error_of_a_measurement_is_read_back_and_may_be_missing(folder: Path) -> None:
    tuner = sat(folder)
    assert tuner.next() is not None
    tuner.measured(0, 1, measurement(1, 3, 0.5, error=0.0125), "host")
    tuner.measured(0, 1, measurement(2, 3, 0.6), "host")
    study = find_study("study", folder)
    assert [each.error for each in read_trial(study, 0).measurements] == [0.0125, None]
    attrs = study.trials[0].user_attrs
    earlier = {name: value for name, value in attrs["measurement:1"].items() if name != "error"}
    tuner.study._storage.set_trial_user_attr(study.trials[0]._trial_id, "measurement:1", earlier)
    assert read_trial(find_study("study", folder), 0).measurements[0].error is None


@pytest.mark.parametrize(("value", "state"), [(0.3, "PRUNED"), (math.nan, "FAIL")])
def test_a_stop_is_read_back_where_it_ended_the_trial(folder: Path, value: float, state: str) -> None:
    tuner = sat(folder)
    stop = Stop(rival=3, share=1 / 3, behind=0.073)
    tuner._pruner = SimpleNamespace(judge=lambda *_: stop, judges_at=lambda _: True)  # type: ignore[assignment]
    assert tuner.next() is not None
    tuner.measured(0, 1, measurement(1, 3, value), "host")
    record = read_trial(find_study("study", folder), 0)
    assert (record.state, record.stop) == (state, stop if state == "PRUNED" else None)


def test_a_stop_is_told_in_words() -> None:
    stop = Stop(rival=3, share=1 / 3, behind=0.073)
    assert str(stop) == "0.0730 behind trial 3 at 33 % of its training"


def test_where_the_parameters_come_from_is_read_back(folder: Path) -> None:
    spec = make_spec(trials=9, first=({"learning_rate": 2e-5},))
    start = Start(default={"learning_rate": 5e-5}, learned=({"learning_rate": 1e-4},))
    study = open_study(spec, folder, identity_of(spec, "digest"), start)
    tuner = Tuner(study, spec, precision="fp32", callbacks=[], folder=folder, max_concurrent=9)
    assert all(tuner.next() is not None for _ in range(4))
    records = read_trials(study)
    assert sorted(str(record.origin) for record in records) == ["None", "default", "first", "learned"]
    by_origin = {record.origin: record.params["learning_rate"] for record in records}
    assert (by_origin["default"], by_origin["first"], by_origin["learned"]) == (5e-5, 2e-5, 1e-4)


def test_a_running_trial_has_a_record_and_a_waiting_one_none(folder: Path) -> None:
    tuner = sat(folder, first=({"learning_rate": 2e-5}, {"learning_rate": 3e-5}))
    assert tuner.next() is not None
    records = read_trials(tuner.study)
    assert [(record.number, record.state, record.score) for record in records] == [(0, "RUNNING", None)]
    assert records[0].duration_s is None
    with pytest.raises(StudyError, match="has trials 0 to 0, got 1"):
        read_trial(tuner.study, 1)


def test_a_trial_scores_its_best_measurement(folder: Path) -> None:
    tuner = sat(folder)
    for values in ((0.3, 0.2), (0.1, 0.5), (0.9, math.nan)):
        run_trial(tuner, *values)
    records = read_trials(tuner.study)
    assert [(each.state, each.score, each.best_index) for each in records] == [
        ("COMPLETE", 0.3, 1),
        ("COMPLETE", 0.5, 2),
        ("FAIL", 0.9, 1),
    ]


def test_less_is_better_where_the_objective_is_a_loss(folder: Path) -> None:
    tuner = sat(folder, "log_loss")
    run_trial(tuner, 0.9, 0.4, 0.6)
    run_trial(tuner, 0.5, 0.7)
    records = read_trials(tuner.study)
    assert [(each.score, each.best_index) for each in records] == [(0.4, 2), (0.5, 1)]
    assert tuner.study.best_value == 0.4


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
        findings=(Finding("copies", "3 rows are", "Drop them", {"train": 3}, ("line 2", "line 3"), "note"),),
    )
    write_info(study, info)
    assert read_info(find_study("study", folder)) == info


def test_baselines_are_read_back_with_the_description_whichever_is_written_last(folder: Path) -> None:
    study = sat(folder).study
    info = StudyInfo("study", "text-classification", ("tiny",), "macro_f1", "maximize", {}, {}, {}, "")
    write_info(study, info)
    found = (
        Baseline("trivial", {"macro_f1": 0.1, "accuracy": 0.2}, 0.01, 5, 10, 0.5),
        Baseline("frozen", {}, None, 5, 10, 0.0, "MemoryError: too large"),
    )
    write_baselines(study, found)
    assert read_info(find_study("study", folder)).baselines == found
    write_info(study, info)
    assert read_info(find_study("study", folder)).baselines == found
