"""What another terminal does to a study's place in MLflow: it is published anew, a model is promoted."""

import shutil
from collections import Counter

import pytest
from mlflow import MlflowClient

import autoft
from autoft import publish
from autoft.errors import StudyError
from autoft.study.comparison import ranked, winner_of
from autoft.study.records import read_trials
from autoft.study.storage import find_study
from autoft.tracking import retrieval

from .main_job import run, search_words


def test_sync_rebuilds_all_runs_in_another_store_once_however_often(searched, tmp_path):
    uri, study = f"sqlite:///{tmp_path}/other.db", searched[0] / "studies" / "quickstart"
    count = len(read_trials(find_study("quickstart", study)))  # other tests go on with this search
    for registered in (True, False):  # the model goes there once
        done = run(searched[0], "sync", "quickstart", "--uri", uri)
        *before, last = done.out.splitlines()
        said = "are in MLflow, and so is its winner: models:/quickstart/1"
        assert (done.code, last) == (0, f"{count} trials of study quickstart {said}."), done
        assert [line.startswith("registering the model of trial ") for line in before] == [True] * registered
    here, there = (MlflowClient(where) for where in (f"sqlite:///{searched[0]}/mlflow.db", uri))

    def runs(client):
        place = client.get_experiment_by_name("quickstart").experiment_id
        found = client.search_runs([place])
        assert Counter(run.data.tags["autoft.role"] for run in found) == Counter(
            trial=count, baseline=3, study=1
        )
        return {
            run.data.tags["autoft.trial"]: (run.info.status, run.data.params, run.data.metrics)
            for run in found
            if run.data.tags["autoft.role"] == "trial"
        }

    assert runs(there) == runs(here)


def test_a_champion_moves_with_its_folder_and_comes_back_when_its_files_are_gone(
    searched, tmp_path, monkeypatch
):
    monkeypatch.chdir(shutil.copytree(searched[0], tmp_path / "night"))
    first = autoft.best_config("quickstart")
    monkeypatch.chdir((tmp_path / "night").rename(tmp_path / "renamed"))
    assert autoft.best_config("quickstart") == first and first.model_uri is not None
    answer = autoft.load_best_model("quickstart")("the parcel never came")
    shutil.rmtree("mlruns")
    assert autoft.best_config("quickstart").model_uri is None
    gone = rf"was registered as {first.model_uri}, but its files are not at .*/renamed/mlruns/.*; bring them"
    with pytest.raises(StudyError, match=gone):
        autoft.load_best_model("quickstart")
    said = publish.sync("quickstart")
    again = autoft.best_config("quickstart").model_uri
    assert again != first.model_uri and said.endswith(f"in MLflow, and so is its winner: {again}.")
    assert autoft.load_best_model("quickstart")("the parcel never came") == answer


def test_a_worse_study_leaves_the_champion_alone_until_it_is_promoted_by_hand(searched, tmp_path):
    """The second study has the same rows and hardly learns; it ends within its budget."""
    folder = shutil.copytree(searched[0], tmp_path / "copy")
    uri = f"sqlite:///{folder}/mlflow.db"
    client = MlflowClient(uri)

    def registered():
        return {alias: int(v) for alias, v in client.get_registered_model("quickstart").aliases.items()}

    before = registered()["champion"]
    worse = ("study=worse", "register.name=quickstart", "budget.trials=1")
    slow = ("space.learning_rate=1e-7", "space.unfreeze_depth=0", "search.start=random")
    ended = run(folder, *search_words(*worse, *slow))
    assert ended.code == 0, ended
    assert "\ncandidate  trial 0, macro_f1 0." in ended.out
    last = ended.out.rstrip().splitlines()[-1]
    new = registered()["candidate"]
    assert registered()["champion"] == before
    assert last.startswith(f"models:/quickstart/{new} stays candidate: nothing was learned: on the test rows")
    assert last.endswith("no worse by more than chance. To use it all the same: autoft promote worse")
    assert retrieval.best("worse", uri).model_uri == f"models:/quickstart/{new}"

    by_hand = run(folder, "promote", "worse")
    assert (by_hand.code, by_hand.out) == (
        0,
        f"models:/quickstart/{new} (trial 0 of worse) is the champion; "
        f"version {before} now has the alias 'previous'.\n",
    ), by_hand
    assert registered() == {"champion": new, "previous": before}
    again = run(folder, *search_words(*worse, *slow))
    assert "The budget of study worse is met" in again.out
    assert registered() == {"champion": new, "previous": before}

    study = find_study("quickstart", folder / "studies" / "quickstart")
    best, winner = ranked(read_trials(study), "maximize"), winner_of(read_trials(study), "maximize")
    second = next(each.number for each in best if each != winner)  # kept, and not registered yet
    other = run(folder, "promote", "quickstart", "--trial", str(second))
    assert other.code == 0, other
    assert (
        f"(trial {second} of quickstart) is the champion; version {new} now has the alias 'previous'."
        in other.out
    )
    assert registered() == {"champion": new + 1, "previous": new}
    described = client.get_model_version("quickstart", str(new + 1)).description
    assert described.startswith(f"Trial {second} of quickstart: macro_f1 0.")
    assert described.endswith("by hand (autoft promote); nothing was compared.")
    assert run(folder, "promote", "quickstart").code == 0
    assert registered() == {"champion": before, "previous": new + 1}
