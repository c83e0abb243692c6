"""A task that reads two fields of a model's answer goes through the kernel as one with logits does."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers as hf
from torch.nn import functional

from autoft.data.overlap import row_digests
from autoft.errors import ModelError
from autoft.kernel import study_inputs as kernel_study_inputs
from autoft.kernel.boundary.plan import CachePlan
from autoft.kernel.workbench import Workbench, rebuild
from autoft.tasks.outputs import outputs_of
from autoft.tasks.predictions import predictions
from autoft.tasks.text_classification.task import TextClassification
from autoft.tracking.read_back import _outputs
from autoft.tracking.saving import FineTuned

from ..kernel.boundary.test_cache import planned
from ..kernel.test_memory import sizes_in
from ..kernel.tiny import COLORS, SPECIAL, TARGETS, TASK, config, tiny_inputs, tiny_model
from .answers import example

ENDS = ("start", "end")
VALUES = {"max_length": 16, "label_smoothing": 0.0}


class Spans(TextClassification):
    """Where in a text the color stands: its first and its last token, as of an answer to a question."""

    auto_model = hf.AutoModelForQuestionAnswering
    output_fields = ("start_logits", "end_logits")

    def config_values(self, targets):
        return {"num_labels": 2}  # an output for each end

    def encode(self, rows, processor, targets, values):
        encoded = super().encode(rows, processor, targets, values)
        ids = encoded.inputs["input_ids"].padded(np.arange(len(encoded)))
        colors = (len(SPECIAL) <= ids) & (ids < len(SPECIAL) + len(COLORS))
        return replace(encoded, targets=dict.fromkeys(ENDS, colors.argmax(axis=1)))

    def weight(self, targets):
        return len(targets["start"])

    def loss(self, outputs, batch, values):
        return sum(
            functional.cross_entropy(inside(outputs, batch, end), batch.targets[end], reduction="sum")
            for end in ENDS
        )

    def predict(self, outputs, batch, targets):
        return {end: inside(outputs, batch, end).argmax(dim=1) for end in ENDS}

    def score(self, predictions, encoded, targets):
        right = [predictions[end] == encoded[end] for end in ENDS]
        return dict.fromkeys(self.spec.metrics, float(np.all(right, axis=0).mean()))

    def error(self, metric, predictions, encoded):
        return None


def inside(outputs, batch, end):
    """Without the padding."""
    return outputs[f"{end}_logits"].masked_fill(batch.inputs["attention_mask"] == 0, -torch.inf)


@pytest.fixture
def things(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel_study_inputs, "find_task", lambda name: Spans())
    return planned(tmp_path, "bert")


def test_stored_states_pieces_and_the_cut_table_change_nothing(tmp_path, things):
    plan = things.cache_plan
    assert {each.layout for each in plan.boundaries} == {"ragged"}  # the head reads all tokens
    assert len(plan.boundaries) == 3 and plan.first_token == {} and plan.tables
    path = tmp_path / "1.safetensors"
    for depth in (0, 1, "all"):
        trial = config(model="./bert", unfreeze_depth=depth, dropout=0.0, objective="accuracy")
        plain, stored = (
            [m.metrics["train_loss"] for m in Workbench(each).fine_tune(trial, path)]
            for each in (replace(things, cache_plan=CachePlan()), things)
        )
        # Other orders of sums, carried on by six steps; a token that is missing changes far more.
        assert stored == pytest.approx(plain, rel=1e-4)
        assert plain[-1] < plain[0] or depth == 0


def test_pieces_add_up_and_the_model_that_is_written_answers_as_the_trial_did(tmp_path, things):
    trial = config(model="./bert", batch_size=48, learning_rate=0.01, dropout=0.0, objective="accuracy")
    trial = replace(trial, epochs=20)
    path = tmp_path / "1.safetensors"
    whole = list(Workbench(things).fine_tune(trial, path))
    sizes_in(tmp_path).remember(trial, 20)
    pieces = list(Workbench(things).fine_tune(trial, path))
    assert [m.micro_batch for m in pieces] == [20, 20, 20]
    assert pieces[0].metrics["train_loss"] == pytest.approx(whole[0].metrics["train_loss"], rel=1e-3)
    assert whole[-1].metrics["accuracy"] > 0.9  # chance is a seventh for each end

    texts = ["word1 red word2", "word3 word4 word5 blue"]
    rows = example(texts)
    task = Spans()
    model, processor = rebuild(things.models[0], trial, TARGETS, path, task)
    found, _ = predictions(task, model, processor, rows, TARGETS, VALUES)
    assert {end: found[end].tolist() for end in ENDS} == {"start": [2, 4], "end": [2, 4]}  # behind [BOS]

    tuned = FineTuned(task, model, processor, TARGETS, "org/tiny", VALUES, rows[:1], row_digests(rows))
    told = _outputs(model, processor, tuned)
    alone = model(**processor(texts[:1], return_tensors="pt"))
    expected = torch.cat([alone.start_logits[0], alone.end_logits[0]])  # five tokens each
    np.testing.assert_allclose(told, expected.detach().numpy(), rtol=1e-5)


def test_a_model_without_the_field_is_refused_in_words(tmp_path):
    model = tiny_model("bert")
    model.config.return_dict = False
    with pytest.raises(ModelError, match=r"answers without names, .* return_dict: false; remove that line"):
        outputs_of(TASK, model, model.dummy_inputs)
    model.config.return_dict = True
    with pytest.raises(ModelError, match=r"^BertForSequenceClassification gives logits, but .* reads start_"):
        outputs_of(Spans(), model, tiny_inputs(model))
    assert list(outputs_of(TASK, model, tiny_inputs(model))) == ["logits"]
