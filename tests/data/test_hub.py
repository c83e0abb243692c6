"""Offline, in a process of its own, because `datasets` reads where its caches are when it is imported."""

import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

TOKEN = "hf_not_a_real_token"
SCRIPT = """
import dataclasses, json, sys, tempfile
from pathlib import Path
from autoft.data.prepare import examine
from autoft.errors import DataError
from autoft.spec.study import DataSpec
from autoft.tasks.find import find_task

RULES = find_task("text-classification")
ENTITIES = find_task("token-classification")
answers = {}
spec = DataSpec(inputs=("text",), target="queue", hub="acme/tickets")
requests = {
    "newest": {}, "old": {"revision": "v1"},
    "nowhere": {"hub": "acme/nothing"}, "gone": {"revision": "v9"},
    "column": {"target": "label"}, "csv": {"hub": "acme/plain"}, "several": {"hub": "acme/several"},
    "chosen": {"hub": "acme/several", "config": "second"},
}
for name, changes in requests.items():
    try:
        data = examine(dataclasses.replace(spec, **changes), RULES).write(Path(sys.argv[1]) / name)
        answers[name] = {"labels": data.targets["labels"], "sizes": dict(data.sizes)}
        answers[name]["repr"] = repr(data)
    except DataError as error:
        answers[name] = str(error)
for name in ("entities", "unlabeled"):
    of_words = DataSpec(inputs=("tokens",), target="ner_tags", hub=f"acme/{name}")
    try:
        rows = examine(of_words, ENTITIES)
        answers[name] = {"targets": dict(rows.targets), "rows": rows.tables["train"].to_pylist()}
    except DataError as error:
        answers[name] = str(error)
from autoft.data.hub import load_hub
pictures = DataSpec(inputs=("image",), target="color", hub="acme/pictures")
held = load_hub(pictures, ["image", "color"], {"image": "file"})["train"].columns
answers["pictures"] = [[cell.hex() for cell in held["image"]], held["color"]]
print(json.dumps(answers))
"""


def put(cache, repo, revision, commit, files):
    """Lays files down as `hf download --repo-type dataset` does: blobs, and a snapshot of links to them."""
    root = cache / f"datasets--{repo.replace('/', '--')}"
    (root / "refs").mkdir(parents=True, exist_ok=True)
    (root / "refs" / revision).write_text(commit)
    (root / "blobs").mkdir(exist_ok=True)
    for name, content in files.items():
        blob = root / "blobs" / f"{commit[:8]}-{name.replace('/', '-')}"
        blob.write_bytes(content)
        link = root / "snapshots" / commit / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))


def parquet(n, names):
    features = {
        "text": {"dtype": "string", "_type": "Value"},
        "queue": {"names": names, "_type": "ClassLabel"},
    }
    table = pa.table(
        {"text": [f"message {i}" for i in range(n)], "queue": [i % len(names) for i in range(n)]}
    )
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), sink)
    return sink.getvalue().to_pybytes()


def of_words(*tags):
    """As `datasets` writes a list of ClassLabel."""
    features = {
        "tokens": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"},
        "ner_tags": {
            "feature": {"names": ["O", "B-LOC", "I-LOC"], "_type": "ClassLabel"},
            "_type": "List",
        },
    }
    table = pa.table({"tokens": [[f"w{i}" for i in range(len(row))] for row in tags], "ner_tags": list(tags)})
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), sink)
    return sink.getvalue().to_pybytes()


def of_pictures(*contents):
    """Images as `datasets` stores them, of one color; no matter what they hold, they are not decoded."""
    features = {"image": {"_type": "Image"}, "color": {"dtype": "string", "_type": "Value"}}
    cells = [{"bytes": content, "path": f"{i}.png"} for i, content in enumerate(contents)]
    table = pa.table({"image": cells, "color": ["red"] * len(cells)})
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), sink)
    return sink.getvalue().to_pybytes()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def answers(home):
    cache = home / "hf" / "hub"
    train, test = "data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"
    names = ["returns", "billing"]
    put(cache, "acme/tickets", "main", "b" * 40, {train: parquet(40, names), test: parquet(6, names)})
    put(cache, "acme/tickets", "v1", "a" * 40, {train: parquet(20, names)})
    csv = "text,queue\n" + "".join(f"message {i},{'xy'[i % 2]}\n" for i in range(20))
    put(cache, "acme/plain", "main", "c" * 40, {"train.csv": csv.encode()})
    configs = "\n".join(f"- {{config_name: {name}, data_files: {name}.csv}}" for name in ("first", "second"))
    card = f"---\nconfigs:\n{configs}\n---\n"
    several = {
        "README.md": card.encode(),
        "first.csv": csv.encode(),
        "second.csv": csv.replace(",x", ",z").encode(),
    }
    put(cache, "acme/several", "main", "d" * 40, several)
    validation = train.replace("train", "validation")
    files = {train: of_words([0, 1, 2], [1]), validation: of_words([1])}
    put(cache, "acme/entities", "main", "e" * 40, files)
    put(cache, "acme/unlabeled", "main", "f" * 40, {**files, validation: of_words([1], [0, -1])})
    put(cache, "acme/pictures", "main", "9" * 40, {train: of_pictures(b"one", b"two")})
    environment = {**os.environ, "HF_HOME": str(home / "hf"), "HF_HUB_OFFLINE": "1", "HF_TOKEN": TOKEN}
    for name in ("HF_HUB_CACHE", "HF_DATASETS_CACHE", "HF_DATASETS_OFFLINE"):
        environment.pop(name, None)
    command = [sys.executable, "-c", SCRIPT, str(home / "studies")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no progress bars, no warnings
    return json.loads(done.stdout)


def test_a_downloaded_dataset_is_read_with_its_label_names_and_splits(answers):
    assert answers["newest"]["labels"] == ["billing", "returns"]
    assert answers["newest"]["sizes"] == {
        "train": 34,
        "validation": 6,
        "test": 6,
    }  # 15 % of 40 drawn, test given


def test_the_revision_is_the_one_asked_for(answers):
    assert answers["old"]["sizes"] == {"train": 14, "validation": 3, "test": 3}


def test_plain_csv_files_of_a_dataset_are_read(answers):
    assert answers["csv"]["labels"] == ["x", "y"]


def test_one_of_several_configurations_has_to_be_chosen(answers):
    assert "first" in answers["several"] and "set data.config" in answers["several"]
    assert answers["chosen"]["labels"] == ["y", "z"]


def test_a_missing_dataset_says_what_to_fetch_and_how(answers):
    assert "acme/nothing: the dataset is not in" in answers["nowhere"]
    assert "HF_HUB_OFFLINE is set" in answers["nowhere"]
    assert "\n  hf download --repo-type dataset acme/nothing\n" in answers["nowhere"]
    assert "datasets--acme--nothing" in answers["nowhere"]
    assert "hf download --repo-type dataset acme/tickets --revision v9" in answers["gone"]


def test_a_missing_column_names_those_of_the_dataset(answers):
    assert answers["column"] == "acme/tickets[train]: no column `label`; the file has: text, queue"


def test_lists_of_class_labels_are_read_with_their_names(answers):
    assert answers["entities"]["targets"] == {"labels": ["O", "B-LOC", "I-LOC"]}
    assert [row["input_0"] for row in answers["entities"]["rows"]] == [["w0", "w1", "w2"], ["w0"]]
    assert [row["target"] for row in answers["entities"]["rows"]] == [[0, 1, 2], [1]]


def test_an_element_without_a_label_is_told_with_its_row(answers):
    assert answers["unlabeled"] == (
        "acme/unlabeled[validation]: row 2: column `ner_tags`: element 2 of the list is empty"
    )


def test_the_bytes_of_images_are_read_as_they_are(answers):
    assert answers["pictures"] == [[b"one".hex(), b"two".hex()], ["red", "red"]]


def test_the_token_is_written_nowhere(answers, home):
    assert TOKEN not in json.dumps(answers)
    files = [file for file in home.rglob("*") if file.is_file()]
    assert any(file.name == "rows.arrow" for file in files)
    assert not [file for file in files if TOKEN.encode() in file.read_bytes()]
