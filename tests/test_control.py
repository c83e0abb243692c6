"""What another terminal asks of a study: to stop, to try a configuration."""

import shutil
import time

import pytest

from autoft import control, publish
from autoft.errors import StudyError
from autoft.study.lock import LEASE_ATTR
from autoft.study.records import read_trials
from autoft.study.requests import STOP_ATTR
from autoft.study.storage import find_study

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
        publish.sync("quickstart")


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
