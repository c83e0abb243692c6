"""A search whose trials early stopping ends, end to end with one worker: they are complete and one wins."""

import pytest
from mlflow import MlflowClient

from autoft.named import read_study

from .main_job import run, short_search

STILL = ("space.learning_rate=1e-9", "space.unfreeze_depth=0", "space.epochs=3", "budget.trials=2")
"""A model that changes too little to predict anything else, measured 12 times."""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("early-stopping")
    return folder, short_search(folder, *STILL, "space.early_stopping=0.5")


def test_its_trials_are_complete_after_the_patience_and_one_is_the_champion(stopped, monkeypatch):
    folder, ran = stopped
    assert (ran.code, ran.err) == (0, "")
    assert "(the default; early stop at epoch 0.8 of 3)" in ran.out
    assert "Study quickstart: 2 trials (2 complete)." in ran.out
    assert "champion   trial" in ran.out
    monkeypatch.chdir(folder)
    for trial in read_study("quickstart").trials:
        assert (trial.state, trial.best_index, len(trial.measurements)) == ("COMPLETE", 1, 3)
        assert [one.last for one in trial.measurements] == [False, False, True]


def test_show_and_mlflow_say_where_they_ended(stopped):
    folder, _ = stopped
    assert "early stop at epoch 0.8 of 3" in run(folder, "show", "quickstart").out
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("quickstart")
    trials = client.search_runs([experiment.experiment_id], "tags.`autoft.role` = 'trial'")
    assert {each.info.status for each in trials} == {"FINISHED"}
    assert {each.data.tags["autoft.early_stop"] for each in trials} == {"early stop at epoch 0.8 of 3"}
