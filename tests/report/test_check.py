"""What `autoft check` says of a study that stands already, and what it must not print."""

import io
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from autoft.data.prepare import prepare
from autoft.kernel.facts import fit_to_models
from autoft.report import check
from autoft.spec.read import read_spec
from autoft.study.places import study_folder
from autoft.study.ray_tune.runtime import Runtime
from autoft.study.storage import identity_of, open_study

from ..main_job import SPACE


@pytest.fixture(autouse=True)
def no_ray_and_no_tracking(monkeypatch, workdir):
    @contextmanager
    def runtime(resources, log):
        yield Runtime(1, 0.0, 4, local=resources.address is None, scratch=Path())

    monkeypatch.setattr(check, "ray_runtime", runtime)
    monkeypatch.setattr(check.store, "probe", lambda *_: None)


def checked(*overrides):
    text = io.StringIO()
    good = check.check(read_spec(SPACE, overrides), Console(file=text, width=200))
    return good, text.getvalue()


def begun(tmp_path, *overrides, done=0):
    """The study that a search of the quickstart would have left, with a trial under way."""
    spec = read_spec(SPACE, overrides)
    prepared = prepare(spec.data, tmp_path / "prepared")
    spec, _ = fit_to_models(spec, prepared.labels)
    study = open_study(spec, study_folder(spec.study), identity_of(spec, prepared.digest))
    for _ in range(done):
        study.tell(study.ask(), 0.5)
    study.ask()


def test_nothing_is_said_of_trials_where_there_is_no_study_and_none_is_made(workdir):
    good, said = checked()
    assert good, said
    assert "so far" not in said
    assert list(workdir.iterdir()) == []


@pytest.mark.parametrize("elsewhere", [(), ("search.storage=sqlite:///elsewhere.db",)])
def test_trials_that_are_done_are_counted(tmp_path, elsewhere):
    begun(tmp_path, *elsewhere, done=2)
    good, said = checked("budget.trials=30", *elsewhere)
    assert good, said
    assert "so far     2 of 30 trials are done\n" in said
    assert "2 of 2 trials are done; nothing is left to run" in checked("budget.trials=2", *elsewhere)[1]


def test_a_search_that_would_be_refused_is_a_problem_with_the_difference(tmp_path):
    begun(tmp_path)
    good, said = checked("search.seed=5")
    assert not good
    assert "so far     PROBLEM: study 'quickstart' was made from another request" in said
    assert "search.seed: was 0, is now 5" in said
    assert "Nothing stands in the way" not in said


def test_a_storage_that_does_not_open_is_a_problem():
    good, said = checked("search.storage=sqlite:////no/such/folder/study.db")
    assert not good
    assert "so far     PROBLEM: search.storage:" in said


def test_the_address_of_the_cluster_is_not_printed_for_it_may_be_a_secret(monkeypatch):
    monkeypatch.setenv("AUTOFT_TEST_ADDRESS", "hunter2")
    good, said = checked("resources.address=${AUTOFT_TEST_ADDRESS}:6379")
    assert good, said
    assert "on the cluster at resources.address" in said
    assert "hunter2" not in said
