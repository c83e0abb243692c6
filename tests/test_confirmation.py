"""A real search of a tiny model with `confirm`, killed in the midst of the confirmation and continued."""

import io
import json
import os
import re
import signal
import time

import pytest
from mlflow import MlflowClient
from rich.console import Console

import autoft
from autoft import session
from autoft.judge.replicas import replica_seeds
from autoft.report.check import check
from autoft.spec.read import read_spec
from autoft.study.layout import CONFIRM, study_folder
from autoft.study.records import read_info, read_trials
from autoft.study.storage import find_study

from .main_job import Running, run
from .report.test_check import no_ray_and_no_tracking, tiny_space  # noqa: F401

SPACE = "spaces/space.yaml"
"""Not in the working directory; its model is relative to it."""
SECTIONS = {
    "study": "tiny",
    "budget": {"trials": 2},
    "space": {"unfreeze_depth": [0, 1], "max_length": 16, "epochs": 2, "batch_size": 16},
    "search": {"pruner": "none", "seed": 0},
    "resources": {"max_concurrent": 1},
    "confirm": {"top": 2, "seeds": 3},
}


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory):
    """A folder with a confirmed study; what the killed and the second command said, and the replicas that the
    first had ended, by number."""
    folder = tmp_path_factory.mktemp("confirmed")
    (folder / "spaces").mkdir()
    space = tiny_space(folder, "bert", **SECTIONS)
    (folder / SPACE).write_text(json.dumps({**space, "model": "../bert"}))
    killed = Running(folder, "search", SPACE)
    until = time.monotonic() + 200
    while not (ended := _ended(folder)):
        assert killed.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    os.kill(killed.pid, signal.SIGKILL)
    killed.end()
    ended = _ended(folder)
    return folder, run(folder, "search", SPACE), ended


@pytest.fixture
def folder(confirmed, monkeypatch):
    monkeypatch.chdir(confirmed[0])
    return confirmed[0]


def _replicas(folder):
    return find_study("tiny/confirm", folder / "studies" / "tiny" / CONFIRM)


def _ended(folder):
    # Before a replica has trained, its database is being made: to open it then would disturb that.
    if not any((folder / "studies/tiny/confirm").glob("checkpoints/*.safetensors")):
        return {}
    trials = read_trials(_replicas(folder))
    return {each.number: each.finished for each in trials if each.state == "COMPLETE"}


def _search(folder):
    return find_study("tiny", folder / "studies" / "tiny")


def test_after_a_kill_only_the_rest_is_trained_on_the_seeds_that_were_planned(folder, confirmed):
    _, again, ended = confirmed
    assert (again.code, again.err) == (0, "")
    trials, replicas = read_trials(_search(folder)), read_trials(_replicas(folder))
    found = read_info(_search(folder)).confirmed
    compared = {trial.number: trial for trial in trials if trial.number in found.candidates}
    assert 1 <= len(ended) < len(replicas) == sum(len(each.scores) for each in found.compared) <= 3 * 2
    assert {replica.state for replica in replicas} == {"COMPLETE"}
    assert {replica.number: replica.finished for replica in replicas}.items() >= ended.items()
    assert set(compared) == {0, 1}
    seeds = {
        seed for each in found.compared for seed in replica_seeds(0, compared[each.trial], len(each.scores))
    }
    assert {replica.seed for replica in replicas} == seeds
    assert seeds.isdisjoint(trial.seed for trial in trials)
    assert len(trials) == 2  # the search has not seen them


def test_the_verdict_is_of_the_replicas_scores_and_the_median_one_is_registered(folder, confirmed):
    found, replicas = read_info(_search(folder)).confirmed, read_trials(_replicas(folder))
    scores = sorted(score for each in found.compared for score in each.scores)
    assert scores == pytest.approx(sorted(replica.score for replica in replicas))
    best = found.compared[0]
    median = sorted(best.scores)[(len(best.scores) - 1) // 2]
    assert (found.chosen, found.score) == (best.trial, pytest.approx(median))
    assert found.said in confirmed[1].out
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (version,) = client.search_model_versions("name = 'tiny'")
    run = client.get_run(version.run_id)
    assert run.data.tags["autoft.seed"] == str(found.seed)
    assert run.data.metrics["objective"] == pytest.approx(found.score)
    assert found.said in version.description and "On the sealed test (" in version.description
    kept = list((folder / "studies/tiny/confirm/checkpoints").glob("*.safetensors"))
    assert [path.name.split(".")[0] for path in kept] == [f"trial-{found.replica:04d}"]


def test_best_and_show_tell_what_was_found(folder):
    found, shown = read_info(_search(folder)).confirmed, json.loads(run(folder, "best", "tiny", "--json").out)
    assert (shown["trial"], shown["model_uri"]) == (found.chosen, "models:/tiny/1")
    # Everywhere the score of the registered replica, not that of the trial in the search.
    study = autoft.load_study("tiny")
    assert shown["value"] == study.winner.score == pytest.approx(found.score)
    assert f"macro_f1 {found.score:.4f}, trial {found.chosen}" in run(folder, "status", "tiny").out
    page = " ".join((folder / "studies/tiny/report.html").read_text().split())
    assert "models:/tiny/1 became the champion" in page
    assert re.search(r"<dt>Confirmation</dt> ?<dd>\d+ s more; all its trainings together \d+ s</dd>", page)
    assert shown["confirmation"]["said"] == found.said
    assert [each["trial"] for each in shown["confirmation"]["compared"]] == [e.trial for e in found.compared]
    assert shown["confirmation"]["replica"] == found.replica
    assert found.said in run(folder, "show", "tiny").out
    assert f"confirmation {found.said}\n" in run(folder, "best", "tiny").out
    assert autoft.load_best_model("tiny")("red word1")[0]["label"] in ("red", "green", "blue")


def test_what_is_done_is_not_done_again_and_synced_elsewhere_as_it_is(folder, monkeypatch):
    before = [replica.finished for replica in read_trials(_replicas(folder))]
    monkeypatch.setattr(session, "ray_runtime", None)  # it would be called
    outcome = session.run_session(read_spec(folder / SPACE), Console(file=io.StringIO(), width=200))
    assert (outcome.ran, outcome.outstanding, outcome.best.model_uri) == (0, None, "models:/tiny/1")
    assert [replica.finished for replica in read_trials(_replicas(folder))] == before
    said = run(folder, "sync", "tiny", "--uri", f"sqlite:///{folder}/other.db").out  # its model is found
    assert "2 trials of study tiny are in MLflow, and so is its winner: models:/tiny/1" in said


def test_check_says_what_it_will_cost(workdir, no_ray_and_no_tracking):  # noqa: F811
    sections = {**SECTIONS, "budget": {"trials": 2, "time": "1h"}}
    (workdir / "space.yaml").write_text(json.dumps(tiny_space(workdir, "bert", **sections)))
    said = io.StringIO()
    check(read_spec("space.yaml"), Console(file=said, width=200))
    who = "the best 2 and the default on 3 fresh seeds each in the mean"
    assert f"confirm    {who}: up to 9 trials more" in said.getvalue()
    assert "the end of a session's time is kept for this, at most 30 min" in said.getvalue()
    assert not study_folder("tiny").exists()
