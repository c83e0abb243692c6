"""A study in PostgreSQL: searched to its end although the server is killed, and by one process at a time."""

import time
from collections import Counter

import pytest
from mlflow import MlflowClient

from autoft.errors import StudyError
from autoft.study.lock import hold_lease
from autoft.study.records import read_trials
from autoft.study.storage import find_study

from .main_job import Running, search_words, small_model, wait_for_a_trial
from .postgres import postgres

SECRET = "hunter2secret"


@pytest.fixture
def server():
    with postgres() as running:
        yield running


def test_a_server_that_is_killed_and_comes_back_loses_nothing_and_ends_no_search(
    server, tmp_path, monkeypatch
):
    # Sockets ask for no password; it is given to see where it shows up.
    storage = server.url.replace("postgres@", f"postgres:{SECRET}@")
    words = search_words(
        small_model(),
        "search.storage=${STORAGE}",
        "budget.trials=4",
        "search.pruner=none",
        "space.epochs=4",
    )
    monkeypatch.setenv("STORAGE", storage)
    search = Running(tmp_path, *words)
    wait_for_a_trial(tmp_path, search)
    server.kill()
    time.sleep(3)
    server.start()
    time.sleep(2)
    study = find_study("quickstart", tmp_path / "studies" / "quickstart", storage)
    with pytest.raises(StudyError, match=f"process {search.pid} on host"), hold_lease(study, lambda: None):
        pass
    ended = search.end(200)
    assert ended.code == 0, ended
    trials = read_trials(study)
    assert [(trial.number, trial.state) for trial in trials] == [(n, "COMPLETE") for n in range(4)]
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    place = client.get_experiment_by_name("quickstart").experiment_id
    runs = [run.data.tags.get("autoft.trial") for run in client.search_runs([place])]
    assert Counter(runs) == Counter([*[None] * 4, *map(str, range(4))])  # the study and its baselines
    assert not (tmp_path / "studies" / "quickstart" / "study.db").exists()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in written if SECRET.encode() in path.read_bytes()] == []
    assert SECRET not in ended.out + ended.err
