"""A search for each text task, end to end with real parts, and its model as others find it in a registry."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import f1_score, mean_squared_error

import autoft
from autoft.data.files import read_table

from .kernel.tiny import COLORS, save_pretrained
from .main_job import run
from .tasks.toys import OBJECTIVES, frame

TRIAL = "learning_rate: 1e-2, unfreeze_depth: all, batch_size: 16, epochs: 8, max_length: 16"


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """The folder in which all three were searched, and what each of the commands printed."""
    folder = tmp_path_factory.mktemp("text-tasks")
    save_pretrained("bert", folder / "tiny")
    ran = {}
    for task, objective in OBJECTIVES.items():
        frame(task, 150).to_json(folder / f"{task}.jsonl", orient="records", lines=True)
        (folder / f"{task}.yaml").write_text(
            f"task: {task}\nmodel: tiny\nobjective: {objective}\nspace: {{{TRIAL}}}\nbudget: {{trials: 1}}\n"
            f"data: {{path: {task}.jsonl, inputs: input, target: target}}\nresources: {{max_concurrent: 1}}\n"
            "search: {seed: 0}\n"  # with which so small a model learns enough
        )
        ran[task] = run(folder, "search", f"{task}.yaml")
    return folder, ran


@pytest.fixture
def folder(searched, monkeypatch):
    monkeypatch.chdir(searched[0])
    return searched[0]


@pytest.mark.parametrize("task", OBJECTIVES)
def test_the_search_ends_well_with_a_champion(searched, task):
    _, ran = searched
    assert (ran[task].code, ran[task].err) == (0, "")
    assert f"model      models:/{task}/1" in ran[task].out
    for baseline in ("trivial", "classical", "frozen"):
        assert f"\nbaseline   {baseline}, {OBJECTIVES[task]} " in ran[task].out


def held_out(folder, task):
    """The validation rows: inputs, and targets as the user wrote them."""
    rows = read_table(folder / "studies" / task / "data" / "rows.arrow")
    inputs = [row["input_0"] for row in rows.to_pylist() if row["split"] == "validation"]
    given = {
        str(text): target for text, target in zip(*frame(task, 150).to_dict("list").values(), strict=True)
    }
    return inputs, [given[str(text)] for text in inputs]


def entities(words, tags):
    """Type, first and last character of each entity in the text of these words; no tag breaks BIO here."""
    found, start = [], 0
    for word, tag in zip(words, tags, strict=True):
        if tag.startswith("B-"):
            found.append((tag[2:], start, start + len(word)))
        elif tag.startswith("I-"):
            found[-1] = (*found[-1][:2], start + len(word))
        start += len(word) + 1
    return found


def test_the_regression_says_numbers_in_the_target_s_unit_and_scores_what_the_study_says(folder):
    texts, numbers = held_out(folder, "text-regression")
    said = [each["score"] for each in autoft.load_best_model("text-regression")(texts)]
    assert 900 < np.mean(said) < 1100
    found = math.sqrt(mean_squared_error(numbers, said))
    assert found == pytest.approx(autoft.best_config("text-regression").value, rel=1e-4)


def test_several_labels_are_given_by_the_threshold_and_score_what_the_study_says(folder):
    texts, labels = held_out(folder, "multi-label")
    said = autoft.load_best_model("multi-label")(texts)
    true, given = (
        [[color in row for color in COLORS] for row in rows]
        for rows in (labels, [[each["label"] for each in answer] for answer in said])
    )
    value = autoft.best_config("multi-label").value
    assert f1_score(true, given, average="micro") == pytest.approx(value, abs=1e-6)


def test_entities_are_found_in_texts_and_score_what_the_study_says(folder):
    words, tags = held_out(folder, "token-classification")
    pipeline = autoft.load_best_model("token-classification")
    right = there = given = 0
    for row, true in zip(words, tags, strict=True):
        said = {(each["entity_group"], each["start"], each["end"]) for each in pipeline(" ".join(row))}
        expected = set(entities(row, true))
        right, there, given = right + len(said & expected), there + len(expected), given + len(said)
    value = autoft.best_config("token-classification").value
    assert 2 * right / (there + given) == pytest.approx(value, abs=1e-6)
    assert pipeline(words[:2]) == pipeline([" ".join(row) for row in words[:2]])  # these words have no space


LOADED_WITHOUT_AUTOFT = """
import json, sys
import mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
texts, answers = json.loads(sys.argv[1]), {}
for task in ("text-regression", "multi-label", "token-classification"):
    pipeline = mlflow.transformers.load_model(f"models:/{task}@champion")
    answers[task] = pipeline(texts, top_k=None) if task == "multi-label" else pipeline(texts)
    pyfunc = mlflow.pyfunc.load_model(f"models:/{task}@champion")
    answers[f"pyfunc {task}"] = pyfunc.predict(texts)
    if task == "multi-label":
        answers["threshold"] = pyfunc.get_raw_model().model.config.threshold
        version = mlflow.MlflowClient().get_model_version_by_alias(task, "champion")
        answers["description"] = version.description
assert not [name for name in sys.modules if name.split(".")[0] == "autoft"]
as_json = lambda each: each.to_dict("records") if hasattr(each, "to_dict") else str(each)
print("ANSWER" + json.dumps(answers, default=as_json))
"""


def test_the_champions_answer_where_autoft_is_not_imported(folder):
    texts = ["word1 red red word2 blue", "word3 green", "word4", "red word5 " * 100]
    done = subprocess.run(
        [sys.executable, "-c", LOADED_WITHOUT_AUTOFT, json.dumps(texts)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    there = json.loads(done.stdout.split("ANSWER")[1].splitlines()[0])
    here = {task: autoft.load_best_model(task)(texts) for task in OBJECTIVES}
    numbers = [each["score"] for each in here["text-regression"]]
    assert [each["score"] for each in there["text-regression"]] == pytest.approx(numbers)
    assert [each["score"] for each in there["pyfunc text-regression"]] == pytest.approx(numbers)
    # Without autoft all labels come, the likeliest first; it gives those that are above the threshold.
    given = [[(each["label"], pytest.approx(each["score"])) for each in of] for of in here["multi-label"]]
    assert (len(given[0]), len(given[2])) == (2, 0)
    pyfunc = [[row[str(place)] for place in range(3)] for row in there["pyfunc multi-label"]]
    for answers in (there["multi-label"], pyfunc):
        assert all(sorted(each["label"] for each in answer) == sorted(COLORS) for answer in answers)
        scored = [[(each["label"], each["score"]) for each in answer] for answer in answers]
        assert [[each for each in row if each[1] > there["threshold"]] for row in scored] == given
    assert f"a score above {there['threshold']:.4g}, which is `threshold`" in there["description"]
    # A plain pipeline gives each token's tag, where autoft's puts the tokens of an entity together.
    tags = there["pyfunc token-classification"]
    assert [len(each.split(",")) for each in tags[:3]] == [5, 2, 1]  # a word is a token here
    for tokens, groups, of_all in zip(
        there["token-classification"], here["token-classification"], tags, strict=True
    ):
        assert [each["entity"] for each in tokens] == [tag for tag in of_all.split(",") if tag != "O"]
        assert {each["entity"][2:] for each in tokens} == {each["entity_group"] for each in groups}
        assert all(group["start"] in [each["start"] for each in tokens] for group in groups)


@pytest.mark.parametrize("task", OBJECTIVES)
def test_the_page_says_where_the_winner_is_right_and_wrong(folder, task):
    page = (folder / "studies" / task / "report.html").read_text()
    said = {
        "text-regression": "The winner by range",
        "multi-label": "The winner by label",
        "token-classification": "The winner by entity type",
    }
    assert "<h2>Right and wrong</h2>" in page
    assert said[task] in page
    winner = autoft.load_study(task).winner
    perfect = task != "text-regression" and winner.score == 1
    assert ("<h2>Rows to look at</h2>" in page) != perfect
