"""A search whose winner is trained again on all rows: registered without, killed meanwhile, continued."""

import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient
from rich.console import Console

import autoft
from autoft.data.files import read_table
from autoft.data.overlap import row_digests
from autoft.data.prepare import read_prepared
from autoft.data.seal import open_test
from autoft.named import full_request
from autoft.refit import refit, why_not_used
from autoft.study.failure_streak import Failure
from autoft.study.layout import REFIT
from autoft.study.records import read_info, read_trials
from autoft.study.refitted import forget_refitted
from autoft.study.storage import find_study, study_id
from autoft.study.tuner import Tuner
from autoft.tasks.multi_label.threshold import best_threshold
from autoft.tracking.loading import read_training
from autoft.tracking.registry import find_version
from autoft.winner import Searched

from .kernel.tiny import save_pretrained
from .main_job import Running, run
from .study.scripted import measurement
from .tasks.toys import frame

EPOCHS, BATCH = 30, 16
SPACE = f"""
study: colors
task: multi-label
model: tiny
objective: micro_f1
space: {{learning_rate: 1e-3, unfreeze_depth: all, batch_size: {BATCH}, epochs: {EPOCHS}, max_length: 16}}
budget: {{trials: 1}}
data: {{path: rows.jsonl, inputs: input, target: target}}
resources: {{max_concurrent: 1}}
refit: true
"""


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """The folder, and what three commands said: without `refit`, with it but killed, and again."""
    folder = tmp_path_factory.mktemp("refit")
    save_pretrained("bert", folder / "tiny")
    frame("multi-label", 150).to_json(folder / "rows.jsonl", orient="records", lines=True)
    (folder / "space.yaml").write_text(SPACE)
    without = run(folder, "search", "space.yaml", "-o", "refit=false")
    killed = Running(folder, "search", "space.yaml")
    until = time.monotonic() + 200
    while not list((folder / "studies/colors/refit").glob("checkpoints/trial-0000.1.resume")):
        assert killed.poll() is None and time.monotonic() < until
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    killed.end()
    return folder, without, run(folder, "search", "space.yaml")


@pytest.fixture
def folder(searched, monkeypatch):
    monkeypatch.chdir(searched[0])
    return searched[0]


@pytest.fixture
def study(folder):
    found = find_study("colors", folder / "studies/colors")
    spec = full_request("colors", {})
    return Searched(found, spec, read_prepared(folder / "studies/colors/data"), folder / "studies/colors")


def test_it_goes_on_after_the_kill_and_ends_where_the_winner_was_best(searched, study):
    assert [(ran.code, ran.err) for ran in searched[1:]] == [(0, ""), (0, "")]
    (trial,) = read_trials(study.study)
    (again,) = read_trials(find_study("colors/refit", study.folder / REFIT))
    assert (again.state, again.attempt, again.seed, again.values) == ("COMPLETE", 2, trial.seed, trial.values)
    (made,) = again.measurements
    best = trial.measurements[trial.best_index - 1]
    # 150 rows: 105 for training, 45 for validation and test.
    steps = [EPOCHS * math.ceil(rows / BATCH) for rows in (study.prepared.size("train"), _all(study))]
    assert (best.step, made.step) == tuple(math.ceil(round(best.fraction * each, 6)) for each in steps)
    log = (study.folder / REFIT / "logs/trial-0000.log").read_text()
    assert "The trial goes on from step" in log


def test_one_that_is_worse_on_rows_that_it_has_seen_is_not_used(study):
    (trial,) = read_trials(study.study)
    (again,) = read_trials(find_study("colors/refit", study.folder / REFIT))
    assert why_not_used(trial, again, "maximize") is None
    collapsed = replace(again, score=0.01)
    said = f"it scores 0.0100 on the validation rows, after {trial.score:.4f} without them"
    assert why_not_used(trial, collapsed, "maximize") == said
    assert why_not_used(trial, collapsed, "minimize") is None
    assert (
        why_not_used(trial, replace(again, state="FAIL", reason="out of memory"), "maximize")
        == "out of memory"
    )


def test_it_does_not_begin_while_a_confirmation_may_choose_another_winner():
    spec = SimpleNamespace(confirm="3 on 5 seeds")
    searched = SimpleNamespace(spec=spec, winner=lambda: "a trial", is_confirmed=False, refitted=None)
    assert not refit(searched, None, 0.0)  # beginning would need more of them


@pytest.mark.parametrize("second", [None, 0.99])
def test_one_that_failed_is_tried_once_more_and_forgotten_where_nobody_asks_for_it(
    study, tmp_path, monkeypatch, second
):
    """On a copy of the study whose refit has not begun. Trainings are scripted: None fails."""
    folder, scores = tmp_path / "colors", [None, second]
    shutil.copytree(study.folder, folder, ignore=shutil.ignore_patterns("refit"))
    there = replace(study, study=find_study("colors", folder), folder=folder)
    forget_refitted(there.study)

    def train(planned, callbacks, began_s):
        place = {"precision": "fp32", "folder": planned.folder, "max_concurrent": 1}
        tuner, score = Tuner(planned.study, planned.spec, callbacks=[], **place), scores.pop(0)
        number = tuner.next().number
        if score is None:
            tuner.failed(number, 1, Failure("error", "no room", ""), "node")
        else:
            tuner.measured(number, 1, measurement(1, 1, score, metrics={"micro_f1": score}), "node")
            tuner.completed(number, 1)

    monkeypatch.setattr("autoft.refit.trainer", lambda *_: nullcontext(train))
    quiet = Console(file=io.StringIO())
    refit(there, quiet, 0.0)
    assert there.refitted.failed == "no room" and "tries it once more" in there.refitted.said
    refit(there, quiet, 0.0)
    found = there.refitted
    assert (found.number, found.failed) == (1, None if second else "no room")
    assert "once more" not in found.said
    refit(there, quiet, 0.0)  # there is no third
    forget_refitted(there.study)
    assert there.refitted is None and there.winner().refit is None
    refit(there, quiet, 0.0)  # wanted again, it need not be trained again
    assert there.refitted == found


def _all(study):
    return study.prepared.size("train") + study.prepared.size("validation")


def test_the_model_was_trained_on_exactly_these_rows_and_on_none_of_the_test_split(folder, study):
    rows = row_digests(read_table(study.prepared.rows_path))
    trained = read_training(None, "colors", 2).rows
    assert sorted(trained) == sorted(rows) and len(rows) == _all(study)
    sealed = row_digests(open_test(folder / "studies/.sealed/colors", "tests/test_refit.py"))
    known = set(read_training(None, "colors", 1).rows)
    # A toy text may occur twice, in two splits.
    assert set(sealed) - set(rows) and set(trained) - known


def test_each_new_model_opens_the_test_rows_once_more(searched, study):
    tested = read_info(study.study).tested
    assert (tested.opened, tested.refit, tested.model_uri) == (2, True, "models:/colors/2")
    assert "opened for the first time) the winner" in " ".join(searched[1].out.split())
    said = " ".join(searched[2].out.split())
    assert "opened for the second time) the winner" in said
    assert said.count("Each further opening makes a test less of a test.") == 1


def test_it_takes_over_from_the_same_trial_and_the_evidence_says_whose_score_it_is(folder, searched, study):
    refitted, (trial,) = read_info(study.study).refitted, read_trials(study.study)
    assert refitted.said.startswith(f"Trial 0 was trained again on all {_all(study)} training and validation")
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    version = client.get_model_version_by_alias("colors", "champion")
    assert int(version.version) == 2
    assert f"micro_f1 {trial.score:.4f} on validation. {refitted.said}" in version.description
    assert "it is the same trial, trained again on the validation rows too" in version.description
    place = None, "colors", study_id(study.study), "colors", 0, "colors"
    assert [find_version(*place, refitted=again).version for again in (False, True)] == [1, 2]
    best = json.loads(run(folder, "best", "colors", "--json").out)
    assert (best["model_uri"], best["value"]) == ("models:/colors/2", pytest.approx(trial.score))
    assert (best["refit"]["rows"], best["refit"]["failed"]) == (_all(study), None)
    for said in (searched[2].out, run(folder, "show", "colors").out):
        assert refitted.said in said
    assert "trained again" not in searched[1].out
    # No run has a score of rows that the model has seen.
    place = [client.get_experiment_by_name("colors").experiment_id]
    (run_of_trial,) = client.search_runs(place, "tags.`autoft.role` = 'trial'")
    assert run_of_trial.data.metrics["objective"] == pytest.approx(trial.score)
    studies = {each.data.tags["autoft.study"] for each in client.search_runs(place)}
    assert studies == {"colors"}


LOADED_WITHOUT_AUTOFT = """
import json, sys
import mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
pipeline = mlflow.transformers.load_model("models:/colors@champion")
answer = pipeline(["word1 red word2"], top_k=None)
assert not [name for name in sys.modules if name.split(".")[0] == "autoft"]
print("ANSWER" + json.dumps([answer, pipeline.model.config.threshold]))
"""


def test_it_loads_alone_with_the_threshold_of_the_first_training(folder, study):
    command = [sys.executable, "-c", LOADED_WITHOUT_AUTOFT]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    (answer,), threshold = json.loads(done.stdout.split("ANSWER")[1].splitlines()[0])
    (said,) = autoft.load_best_model("colors")(["word1 red word2"])
    above = {each["label"] for each in answer if each["score"] > threshold}
    assert {each["label"] for each in said} == above
    (trial,) = read_trials(study.study)
    predictions, encoded = study.answered(trial, print)
    answers = predictions["probabilities"], encoded.targets["labels"]
    assert threshold == best_threshold("micro_f1", *answers)


def test_synced_to_another_store_its_model_comes_along(folder):
    said = run(folder, "sync", "space.yaml", "--uri", f"sqlite:///{folder}/other.db").out
    assert "and so is its winner: models:/colors/1" in said
    assert len(read_training(f"sqlite:///{folder}/other.db", "colors", 1).rows) == 128


def test_what_is_done_is_not_done_again(folder):
    said = run(folder, "search", "space.yaml").out
    assert "models:/colors/2" in said and "refit:" not in said
