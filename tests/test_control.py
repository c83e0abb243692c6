"""What another terminal does to a study: stop it, queue a configuration, publish it anew."""

import shutil
import time
from collections import Counter

import pytest
from mlflow import MlflowClient

import autoft
from autoft import control
from autoft.errors import StudyError
from autoft.study.comparison import ranked, winner_of
from autoft.study.lock import LEASE_ATTR
from autoft.study.records import read_trials
from autoft.study.requests import STOP_ATTR
from autoft.study.storage import find_study
from autoft.tracking import retrieval

from .main_job import Running, run, search_words, small_model, wait_for_a_trial

LONG = ("space.epochs=3", "search.pruner=none")


def test_a_search_is_stopped_and_fed_from_another_terminal(tmp_path):
    search = Running(tmp_path, *search_words(small_model(), *LONG, "budget.trials=100"))
    wait_for_a_trial(tmp_path, search)
    added = run(tmp_path, "add", "quickstart", "learning_rate=0.000123", "unfreeze_depth=0")
    assert added.code == 0, added
    assert "learning_rate=0.000123, unfreeze_depth=0. It is the next trial that starts" in added.out
    outside = run(tmp_path, "add", "quickstart", "learning_rate=5")
    assert (outside.code, "learning_rate: must be" in outside.err) == (1, True), outside
    absent = run(tmp_path, "stop", "quickstart", "--trial", "7")
    assert (absent.code, "trial 7 of 'quickstart' does not run" in absent.err) == (1, True), absent
    stopped = run(tmp_path, "stop", "quickstart")
    assert stopped.code == 0, stopped
    assert f"process {search.pid} on host" in stopped.out
    ended = search.end(60)
    assert (ended.code, "go on with:\nautoft search" in ended.out + ended.err) == (130, True), ended

    def trials():
        return read_trials(find_study("quickstart", tmp_path / "studies" / "quickstart"))

    before = trials()
    assert "RUNNING" in [trial.state for trial in before]
    again = run(tmp_path, *search_words(small_model(), *LONG, f"budget.trials={len(before) + 1}"))
    assert again.code == 0, again
    after = trials()
    assert [trial.state for trial in after] == ["COMPLETE"] * (len(before) + 1)
    assert max(trial.attempt for trial in after) == 2
    queued = [trial for trial in after if trial.params["learning_rate"] == 0.000123]
    assert [trial.params["unfreeze_depth"] for trial in queued] == [0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["stop", "quickstart"], "no process searches it now"),
        (["stop", "nothing"], "study 'nothing': there is none"),
        (["add", "quickstart", "learning_rate=0.0005"], "trials is met, so what is queued would not run"),
        (["add", "quickstart", "learnin_rate=0.0005"], "did you mean 'learning_rate'"),
        (["add", "quickstart", "learning_rate"], "must look like"),
        (["add", "nothing", "learning_rate=0.0005"], "study 'nothing': there is none"),
        (["promote", "nothing"], "study 'nothing': there is none"),
        (["promote", "quickstart", "--trial", "99"], "has trials 0 to"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(searched, arguments, said):
    done = run(searched[0], *arguments)
    assert (done.code, said in done.err, "Traceback" in done.err) == (1, True, False), done


def test_a_search_on_another_host_is_seen_by_the_lease_of_its_study(searched, tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(searched[0], tmp_path / "copy"))
    study = find_study("quickstart", tmp_path / "copy" / "studies" / "quickstart")
    owner = {"host": "elsewhere", "pid": 7, "since": 0.0}
    study.set_user_attr(LEASE_ATTR, {"owner": owner, "token": "theirs", "renewed": time.time()})
    assert "process 7 on host elsewhere" in control.stop("quickstart")
    assert study.user_attrs[STOP_ATTR] == owner
    with pytest.raises(StudyError, match=r"process 7 on host elsewhere .* searches it, and publishes it"):
        control.sync("quickstart")


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
    said = control.sync("quickstart")
    again = autoft.best_config("quickstart").model_uri
    assert again != first.model_uri and said.endswith(f"in MLflow, and so is its winner: {again}.")
    assert autoft.load_best_model("quickstart")("the parcel never came") == answer


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--for", "8 hours"], "--for must be a time with its unit"),
        (["--until", "7am"], "must be a time of day such as 07:00"),
        (["--for", "8h", "--until", "07:00"], "give one of them"),
    ],
)
def test_a_time_that_is_none_is_refused(tmp_path, options, said):
    done = run(tmp_path, *search_words(), *options)
    assert done.code in (1, 2)
    assert said in " ".join(done.err.replace("│", " ").split())


def test_at_the_end_of_its_time_a_session_says_so_and_registers_the_best_so_far(searched, tmp_path):
    folder = shutil.copytree(searched[0], tmp_path / "copy")
    words = search_words("budget.trials=200", "register.name=so-far")
    ended = run(folder, *words, "--for", "20s")
    assert ended.code == 0, ended
    assert "The time of 20 s is over: study quickstart has" in ended.out
    assert "models:/so-far/1" in ended.out
    trials = read_trials(find_study("quickstart", folder / "studies" / "quickstart"))
    assert 4 <= len(trials) < 200
    assert all(trial.measurements for trial in trials)


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
