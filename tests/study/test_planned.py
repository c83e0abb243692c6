"""A study of a plain list of trials: these and no others, in their order, whatever a sampler would do."""

from pathlib import Path

import pytest

from autoft.study.identity import identity_of
from autoft.study.planned import PlannedTrial, read_plan, write_plan
from autoft.study.records import read_trials
from autoft.study.storage import open_study
from autoft.study.tuner import Tuner

from .scripted import make_spec, measurement


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "study"


def test_the_listed_trials_run_with_their_values_and_seeds(folder: Path) -> None:
    spec = make_spec(trials=3)
    study = open_study(spec, folder, identity_of(spec, "digest"))
    usual = spec.space.resolve({})
    # Twice the same values, on two seeds, as a confirmation needs them.
    listed = [(0.3, 7), (0.1, 8), (0.1, 9)]
    trials = [PlannedTrial({**usual, "learning_rate": rate}, seed) for rate, seed in listed]
    write_plan(study, trials)
    assert list(read_plan(study)) == trials
    tuner = Tuner(study, spec, precision="fp32", callbacks=[], folder=folder, max_concurrent=3)
    begun = [tuner.next() for _ in range(3)]
    assert [(each.config.learning_rate, each.config.seed) for each in begun if each] == listed
    assert tuner.next() is None
    for each in begun[:2]:
        assert each is not None
        tuner.measured(each.number, 1, measurement(1, 1, 0.5), "node")
        tuner.completed(each.number, 1)
    # The third was killed: the next session resumes it, on the same seed.
    again = Tuner(study, spec, precision="fp32", callbacks=[], folder=folder, max_concurrent=3).next()
    assert again is not None
    assert (again.number, again.attempt, again.config.seed, again.config.learning_rate) == (2, 2, 9, 0.1)
    records = read_trials(study)
    assert [record.values["learning_rate"] for record in records] == [0.3, 0.1, 0.1]
    assert [record.seed for record in records] == [7, 8, 9]
    assert [record.state for record in records] == ["COMPLETE", "COMPLETE", "RUNNING"]


def test_a_trial_of_the_list_ends_where_it_says_also_when_it_goes_on(folder: Path) -> None:
    spec = make_spec(trials=1)
    study = open_study(spec, folder, identity_of(spec, "digest"))
    write_plan(study, [PlannedTrial(spec.space.resolve({"learning_rate": 0.1}), 7, ends_at=0.25)])
    for attempt in (1, 2):
        tuner = Tuner(study, spec, precision="fp32", callbacks=[], folder=folder, max_concurrent=1)
        begun = tuner.next()
        assert begun is not None
        assert (begun.attempt, begun.config.ends_at) == (attempt, 0.25)


def test_a_study_without_a_list_has_none(folder: Path) -> None:
    spec = make_spec()
    assert read_plan(open_study(spec, folder, identity_of(spec, "digest"))) == ()
