"""A search on labels that have nothing to do with the texts: the test rows say so; nothing is promoted."""

import json

import numpy as np
import pytest
from mlflow import MlflowClient

import autoft
from autoft.study.records import read_info
from autoft.study.storage import find_study

from .kernel.tiny import save_pretrained
from .main_job import run
from .tasks.toys import frame

SPACE = """
study: noise
task: text-classification
model: tiny
objective: accuracy
space: {learning_rate: 1e-3, unfreeze_depth: 1, batch_size: 16, epochs: 2, max_length: 16}
budget: {trials: 1}
data: {path: rows.csv, inputs: input, target: target, split: {test: 0.3}}
resources: {max_concurrent: 1}
"""


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verdict")
    save_pretrained("bert", folder / "tiny")
    rows = frame("text-classification", 300)
    rows["target"] = np.random.default_rng(0).permutation(rows["target"])
    rows.drop_duplicates("input").to_csv(folder / "rows.csv", index=False)
    (folder / "space.yaml").write_text(SPACE)
    return folder, run(folder, "search", "space.yaml")


def test_shuffled_labels_are_said_to_have_taught_nothing(searched, monkeypatch):
    folder, ran = searched
    assert (ran.code, ran.err) == (0, "")
    tested = read_info(find_study("noise", folder / "studies/noise")).tested
    assert tested.objection.startswith("nothing was learned: on the test rows its accuracy is 0.")
    assert tested.contender("default") is None  # it is the winner
    said = " ".join(ran.out.split())
    assert f"models:/noise/1 stays candidate: {tested.objection}." in said
    assert "To use it all the same: autoft promote noise" in said
    monkeypatch.chdir(folder)
    assert autoft.load_study("noise").provisional  # the test rows were opened, and object
    assert set(MlflowClient(f"sqlite:///{folder}/mlflow.db").get_registered_model("noise").aliases) == {
        "candidate"
    }


def test_the_opening_is_written_down_with_its_reason(searched):
    folder, _ = searched
    (opening,) = (folder / "studies/.sealed/noise/test_openings.jsonl").read_text().splitlines()
    assert json.loads(opening)["reason"] == "verdict on models:/noise/1"
