import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from transformers import BertForSequenceClassification, BertTokenizer

from autoft.errors import TrackingError
from autoft.study.comparison import compare
from autoft.study.records import StudyInfo, TrialRecord
from autoft.tracking import registry, retrieval, store, tags
from autoft.tracking.projection import Projection
from autoft.tracking.registry import Champion, FineTuned, find_champion, register_champion

from ..kernel.tiny import tiny_model
from .conftest import make_trial

MAX_LENGTH = 8
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
    """A tiny BERT that takes 16 positions, loaded from a folder of this machine as a champion is."""
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
        model=BertForSequenceClassification.from_pretrained(folder),
        tokenizer=BertTokenizer.from_pretrained(folder),
        reference=str(folder),
        max_length=MAX_LENGTH,
        example=example,
    )


Register = Callable[..., Champion]


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
    ) -> Champion:
        trial = make_trial(number, scores=(score, 0.1))
        projection.project(trial)
        tuned = _tuned(tmp_path / "models" / "tiny", example)
        comparison = compare(trial, [] if default is None else [default], "maximize")
        return register_champion(uri, study, "id-1", make_info(), trial, tuned, study, comparison)

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
        encoded = tuned.tokenizer(**texts, truncation=True, max_length=MAX_LENGTH, return_tensors="pt")
        with torch.no_grad():
            chances = tuned.model.eval()(**encoded).logits[0].softmax(-1)
        answers.append((tuned.model.config.id2label[int(chances.argmax())], float(chances.max())))
    return answers


def test_champion_predicts_the_same_everywhere_without_autoft(
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
    uri: str, study: str, register: Callable[..., Champion], tmp_path: Path
) -> None:
    champion = register()
    source = store.connect(uri).get_model_version_download_uri(study, str(champion.version))
    folder = Path(download_artifacts(source, dst_path=str(tmp_path / "got"), tracking_uri=uri))
    texts = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".safetensors":
            texts[path.name] = path.read_text()
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
    uri: str, study: str, register: Callable[..., Champion]
) -> None:
    champion = register()
    client = store.connect(uri)
    version = client.get_model_version_by_alias(study, "champion")
    assert (int(version.version), version.run_id) == (1, champion.run_id)
    assert version.tags == {tags.STUDY: study, tags.TRIAL: "0"}
    run = client.get_run(champion.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags[tags.MODEL_URI] == champion.model_uri == f"models:/{study}/1"
    model = client.get_logged_model(run.outputs.model_outputs[0].model_id)
    assert model.experiment_id == run.info.experiment_id
    assert {metric.key: metric.value for metric in model.metrics}["macro_f1"] == 0.5
    assert len(client.get_metric_history(champion.run_id, "macro_f1")) == 2  # as before


def test_a_version_says_what_the_default_has_where_it_has_come_to_its_end(
    uri: str, study: str, register: Callable[..., Champion]
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


def test_same_champion_again_makes_no_new_version(
    uri: str, study: str, register: Callable[..., Champion]
) -> None:
    assert find_champion_of(uri, study, register(0)) is not None
    assert register(0) == register(0)
    assert _versions(store.connect(uri), study) == [1]


def find_champion_of(uri: str, study: str, champion: Champion) -> Champion | None:
    found = find_champion(uri, study, "id-1", study, 0, study)
    assert found == champion
    return found


def test_new_champion_takes_the_alias_and_an_old_one_can_take_it_back(
    uri: str, study: str, register: Callable[..., Champion]
) -> None:
    register(0)
    client = store.connect(uri)
    assert register(1, score=0.7).version == 2
    assert client.get_model_version_by_alias(study, "champion").version in (2, "2")
    assert find_champion(uri, study, "id-1", study, 0, study) is None
    assert register(0).version == 1
    assert client.get_model_version_by_alias(study, "champion").version in (1, "1")
    assert _versions(client, study) == [1, 2]


def test_upload_that_breaks_off_registers_nothing(
    uri: str, study: str, register: Callable[..., Champion], monkeypatch: pytest.MonkeyPatch
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
        register_champion(uri, study, "id-1", make_info(), make_trial(3), tuned, study)


def test_best_model_loads_as_a_pipeline(uri: str, study: str, register: Callable[..., Champion]) -> None:
    champion = register()
    assert retrieval.best(study, uri).model_uri == champion.model_uri
    classify = retrieval.load_best_model(study, uri)
    assert classify.task == "text-classification"
    assert classify("where is the money " * 500)[0]["label"] in ("lost card", "transfer", "other")


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
    assert registry.shareable(reference) == shown
