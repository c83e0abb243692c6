import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from safetensors.torch import load_file, save_file
from transformers import BertForSequenceClassification, BertTokenizer

from autoft.errors import StudyError, TrackingError
from autoft.study.comparison import compare
from autoft.study.records import StudyInfo, TrialRecord
from autoft.tracking import loading, retrieval, saving, store, tags
from autoft.tracking.projection import Projection
from autoft.tracking.registration import register_version
from autoft.tracking.registry import Registered, find_version
from autoft.tracking.saving import FineTuned

from ..data.prepared import RULES
from ..kernel.tiny import tiny_model
from ..tasks.answers import example as rows_of
from .conftest import make_trial

MAX_LENGTH = 8
TRAINED_ROWS = np.array([3, 2**64 - 1, 7], np.uint64)
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "42",
    *["my", "card", "was", "stolen", "where", "is", "the", "money"],
]


def _tuned(folder: Path, example: tuple[str, ...]) -> FineTuned:
    """A tiny BERT that takes 16 positions, loaded from a folder of this machine as a winner is."""
    labels = ("lost card", "transfer", "other")
    tiny_model(
        "bert",
        vocab_size=len(WORDS),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=16,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        initializer_range=1.0,
    ).save_pretrained(folder)
    BertTokenizer(vocab={word: index for index, word in enumerate(WORDS)}).save_pretrained(folder)
    return FineTuned(
        task=RULES,
        model=BertForSequenceClassification.from_pretrained(folder),
        processor=BertTokenizer.from_pretrained(folder),
        targets={"labels": list(labels)},
        reference=str(folder),
        values={"max_length": MAX_LENGTH},
        example=rows_of(*([text] for text in example)),
        trained_rows=TRAINED_ROWS,
    )


Register = Callable[..., Registered]


@pytest.fixture
def register_at(study: str, make_info: Callable[..., StudyInfo], tmp_path: Path) -> Callable[[str], Register]:
    return lambda uri: _publisher(uri, study, make_info, tmp_path)


@pytest.fixture
def register(uri: str, register_at: Callable[[str], Register]) -> Register:
    return register_at(uri)


def _publisher(uri: str, study: str, make_info: Callable[..., StudyInfo], tmp_path: Path) -> Register:
    client = store.connect(uri)
    projection = Projection.open(client, store.experiment_id(client, study), make_info(), "id-1")

    def publish(
        number: int = 0,
        example: tuple[str, ...] = ("my card",),
        score: float = 0.5,
        default: TrialRecord | None = None,
    ) -> Registered:
        trial = make_trial(number, scores=(score, 0.1))
        projection.project(trial)
        projection.conclude([trial], None)
        tuned = _tuned(tmp_path / "models" / "tiny", example)
        comparison = compare(trial, [] if default is None else [default])
        fact = comparison.fact if comparison else ""
        return register_version(uri, study, "id-1", make_info(), trial, tuned, study, fact)

    return publish


def _versions(client: MlflowClient, name: str) -> list[int]:
    return sorted(int(one.version) for one in client.search_model_versions(f"name = '{name}'"))


ELSEWHERE = """
import json, sys
import mlflow, pandas
answers = []
for uri, model_uri, rows in json.loads(sys.argv[1]):
    mlflow.set_tracking_uri(uri)
    pipeline = mlflow.transformers.load_model(model_uri)
    pyfunc = mlflow.pyfunc.load_model(model_uri)
    frame = pandas.DataFrame(rows if isinstance(rows[0], dict) else {"text": rows})
    answers.append({
        "pipeline, one by one": [pipeline([row])[0] for row in rows],
        "pipeline, in batches": pipeline(rows, batch_size=4),
        "pyfunc, a list": pyfunc.predict(rows).to_dict("records"),
        "pyfunc, a frame": pyfunc.predict(frame).to_dict("records"),
        "pyfunc, one by one": [pyfunc.predict(row).to_dict("records")[0] for row in rows],
    })
answers.append([name for name in sys.modules if name.split(".")[0] == "autoft"])
print(json.dumps(answers))
"""
"""What a process does that knows nothing of autoft."""
TEXTS = ["my card was stolen", "", "where is the money " * 500, "42"]
PAIRS = [
    {"text": "my card", "text_pair": "was stolen"},
    {"text": "", "text_pair": ""},
    {"text": "where is " * 500, "text_pair": "the money " * 500},
]


def _elsewhere(questions: list[tuple[str, str, list[Any]]], folder: Path) -> list[Any]:
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, json.dumps(questions)],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def _expected(tuned: FineTuned, rows: list[Any]) -> list[tuple[str, float]]:
    """The model's answers, one row at a time, with truncation written out."""
    answers = []
    for row in rows:
        texts = row if isinstance(row, dict) else {"text": row}
        encoded = tuned.processor(**texts, truncation=True, max_length=MAX_LENGTH, return_tensors="pt")
        with torch.no_grad():
            chances = tuned.model.eval()(**encoded).logits[0].softmax(-1)
        answers.append((tuned.model.config.id2label[int(chances.argmax())], float(chances.max())))
    return answers


def test_a_version_predicts_the_same_everywhere_without_autoft(
    sqlite: str, server: str, register_at: Callable[[str], Register], tmp_path: Path
) -> None:
    """One process asks both stores: what it imports takes seconds."""
    questions = []
    for uri in (sqlite, server):
        register = register_at(uri)
        questions.append((uri, register(0).model_uri, TEXTS))
        questions.append((uri, register(1, example=("my card", "was stolen")).model_uri, PAIRS))
    *answers, imported = _elsewhere(questions, tmp_path / "elsewhere")
    assert imported == []
    for (_, _, rows), ways in zip(questions, answers, strict=True):
        expected = _expected(_tuned(tmp_path / "models" / "tiny", ("",)), rows)
        assert len({label for label, _ in expected}) > 1  # the rows tell right from wrong
        for way, got in ways.items():
            assert [one["label"] for one in got] == [label for label, _ in expected], way
            assert [one["score"] for one in got] == pytest.approx([score for _, score in expected], abs=1e-5)


def test_artifact_names_no_place_on_this_machine(
    uri: str, study: str, register: Callable[..., Registered], tmp_path: Path
) -> None:
    version = register()
    source = store.connect(uri).get_model_version_download_uri(study, str(version.version))
    folder = Path(download_artifacts(source, dst_path=str(tmp_path / "got"), tracking_uri=uri))
    texts = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".safetensors":
            texts[path.name] = path.read_text(errors="replace")
    assert {"MLmodel", "config.json", "tokenizer_config.json", "requirements.txt", "model_card.md"} <= set(
        texts
    )
    for name, text in texts.items():
        for place in (str(tmp_path.parent), str(Path.home()), sys.prefix, "/models/tiny"):
            assert place not in text, f"{place} in {name}"
    assert "source_model_name: tiny\n" in texts["MLmodel"]
    assert "torch==2." in texts["requirements.txt"] and "+" not in texts["requirements.txt"]
    assert texts["input_example.json"] == '["my card"]'
    assert [path.name for path in folder.rglob("*.bin")] == []


def test_model_is_in_the_trials_run_with_its_metrics(
    uri: str, study: str, register: Callable[..., Registered]
) -> None:
    registered = register()
    client = store.connect(uri)
    version = client.get_model_version_by_alias(study, "candidate")
    assert (int(version.version), version.run_id) == (1, registered.run_id)
    assert version.tags == {tags.STUDY: study, tags.TRIAL: "0"}
    run = client.get_run(registered.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags[tags.MODEL_URI] == registered.model_uri == f"models:/{study}/1"
    model = client.get_logged_model(run.outputs.model_outputs[0].model_id)
    assert model.experiment_id == run.info.experiment_id
    assert {metric.key: metric.value for metric in model.metrics}["macro_f1"] == 0.5
    assert len(client.get_metric_history(registered.run_id, "macro_f1")) == 2  # as before


def test_a_version_says_what_the_default_has_where_it_has_come_to_its_end(
    uri: str, study: str, register: Callable[..., Registered]
) -> None:
    default = make_trial(0, scores=(0.49,), origin="default")
    register(1, default=default)
    register(2)
    register(0, default=default)
    client = store.connect(uri)
    said = [client.get_model_version(study, version).description for version in ("1", "2", "3")]
    assert said == [
        f"Trial 1 of {study}: macro_f1 0.5000 on validation. The default configuration (trial 0) has 0.4900.",
        f"Trial 2 of {study}: macro_f1 0.5000 on validation.",
        f"Trial 0 of {study}: macro_f1 0.5000 on validation. It is the default configuration.",
    ]


def test_a_trial_is_found_as_its_newest_version_and_its_run_says_so(
    uri: str, study: str, register: Callable[..., Registered]
) -> None:
    assert register(0).version == 1
    client = store.connect(uri)
    assert register(1, score=0.7).version == 2
    assert client.get_model_version_by_alias(study, "candidate").version in (2, "2")
    found = find_version(uri, study, "id-1", study, 0, study)
    assert found == Registered(study, 1, found.run_id if found else "")
    assert find_version(uri, study, "id-1", study, 0, f"{study}-2") is None
    client.delete_model_version(study, "1")
    assert find_version(uri, study, "id-1", study, 0, study) is None
    again = register(0)
    assert again.version == 3
    client.set_tag(again.run_id, tags.MODEL_URI, "models:/another/7")
    assert find_version(uri, study, "id-1", study, 0, study) == again
    assert client.get_run(again.run_id).data.tags[tags.MODEL_URI] == again.model_uri


def test_a_version_says_which_rows_it_was_trained_on(
    uri: str, study: str, register: Callable[..., Registered]
) -> None:
    version = register(example=("my card", "was stolen"))
    found = loading.read_training(uri, study, version.version)
    assert found is not None
    assert (found.task, found.inputs, found.rows.tolist()) == (
        "text-classification",
        2,
        TRAINED_ROWS.tolist(),
    )
    with pytest.raises(StudyError, match=f"models:/{study}/9 is not in the registry any more"):
        loading.read_training(uri, study, 9)


def test_a_store_that_gives_another_model_back_registers_nothing(
    uri: str, study: str, register: Callable[..., Registered], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = MlflowClient.log_model_artifacts

    def damaged(client: MlflowClient, model_id: str, folder: str) -> None:
        for path in Path(folder).rglob("*.safetensors"):
            save_file({name: 0 * tensor for name, tensor in load_file(path).items()}, path, {"format": "pt"})
        upload(client, model_id, folder)

    monkeypatch.setattr(MlflowClient, "log_model_artifacts", damaged)
    # A model of zeros gives each label the logit 0.
    with pytest.raises(
        TrackingError, match=r"not the one that was written: .* \[0\.0000, 0\.0000, 0\.0000\], not "
    ):
        register(0)
    assert _versions(store.connect(uri), study) == []


def test_upload_that_breaks_off_registers_nothing(
    uri: str, study: str, register: Callable[..., Registered], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(client: MlflowClient, model_id: str, folder: str) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(MlflowClient, "log_model_artifacts", full)
    with pytest.raises(TrackingError, match="No space left on device"):
        register(0)
    client = store.connect(uri)
    assert _versions(client, study) == []
    monkeypatch.undo()
    assert register(0).version == 1


def test_trial_that_is_not_in_mlflow_yet_is_an_error_with_a_way_out(
    uri: str, study: str, make_info: Callable[..., StudyInfo], tmp_path: Path
) -> None:
    tuned = _tuned(tmp_path / "tiny", ("my card",))
    with pytest.raises(TrackingError, match=r"trial 3 of .* is not in MLflow yet"):
        register_version(uri, study, "id-1", make_info(), make_trial(3), tuned, study)


def test_best_model_loads_as_a_pipeline_whatever_its_alias(
    uri: str, study: str, register: Callable[..., Registered]
) -> None:
    version = register()
    assert retrieval.best(study, uri).model_uri == version.model_uri
    client = store.connect(uri)
    client.delete_registered_model_alias(study, "candidate")
    classify = loading.load_best_model(study, uri)
    assert classify.task == "text-classification"
    assert classify("where is the money " * 500)[0]["label"] in ("lost card", "transfer", "other")
    client.delete_model_version(study, "1")
    with pytest.raises(
        StudyError, match=r"was registered as models:/.*/1, but MLflow has it no longer; .*: autoft sync"
    ):
        loading.load_best_model(study, uri)


def test_a_model_of_a_task_that_is_not_installed_here_loads_as_it_was_saved(
    sqlite: str, study: str, register_at: Callable[[str], Register], monkeypatch: pytest.MonkeyPatch
) -> None:
    register_at(sqlite)()
    monkeypatch.setattr(loading, "TASKS", {})
    assert loading.load_best_model(study, sqlite).task == "text-classification"


@pytest.mark.parametrize(
    ("reference", "shown"),
    [
        ("org/name", "org/name"),
        ("package:minilm", "package:minilm"),
        ("./minilm", "./minilm"),
        ("/home/me/models/minilm", "minilm"),
        ("~/models/minilm/", "minilm"),
        ("../minilm", "minilm"),
        (r"C:\models\minilm", "minilm"),
    ],
)
def test_reference_tells_nothing_of_this_machine(reference: str, shown: str) -> None:
    assert saving.shareable(reference) == shown
