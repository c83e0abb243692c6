"""Embeddings of tokens that never occur are left out of training, and end where they would have."""

from contextlib import ExitStack, suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from torch import nn

from autoft.data.encoded import Ragged
from autoft.errors import ModelError
from autoft.kernel.boundary.plan import CachePlan
from autoft.kernel.checkpoint import load_checkpoint
from autoft.kernel.vocabulary import Occurring, find_table, occurring_tokens, occurring_tokens_only, widen
from autoft.kernel.workbench import Workbench

from .boundary.test_injection import rows
from .test_workbench import measured
from .tiny import WORDS, anatomy_of, save_pretrained, study_inputs, tiny_model

TABLES = {
    "bert": "bert.embeddings.word_embeddings",
    "distilbert": "distilbert.embeddings.word_embeddings",
    "gpt2": "transformer.wte",
    "llama": "model.embed_tokens",
}


def found(model, tokens=None):
    return find_table(model, anatomy_of(model), tokens or rows())


@pytest.mark.parametrize(("name", "table"), TABLES.items())
def test_the_table_is_found(name, table):
    assert found(tiny_model(name)) == table


@pytest.mark.parametrize("name", ["t5", "bart", "vit", "resnet"])
def test_a_decoder_may_look_up_other_ids_and_images_have_none(name):
    assert found(tiny_model(name)) is None


def test_a_table_that_something_else_uses_too_is_left_alone():
    model = tiny_model("bert", num_labels=len(WORDS))
    model.classifier.weight = model.bert.embeddings.word_embeddings.weight
    assert found(model) is None


def test_a_model_that_looks_up_types_among_its_words_keeps_all_of_them():
    # GPT-2 does: type 1, which is the id of no token of these rows.
    words = rows()
    ids = words.encoded.inputs["input_ids"]
    inputs = {
        "input_ids": replace(ids, values=np.maximum(ids.values, 2)),
        "token_type_ids": replace(ids, values=np.ones_like(ids.values)),
    }
    words = replace(words, encoded=replace(words.encoded, inputs=inputs))
    assert found(tiny_model("gpt2"), words) is None
    assert found(tiny_model("bert"), words) == TABLES["bert"]


def test_the_table_ends_as_if_all_of_it_had_been_trained():
    torch.manual_seed(0)
    whole = nn.Embedding(50, 4, padding_idx=0)
    few = Occurring(whole, torch.tensor([0, 3, 7, 20]))
    batches = [torch.tensor([[3, 7, 0]]), torch.tensor([[20, 3, 3]])]
    pristine = whole.weight.detach().clone()

    def train(module: nn.Module) -> None:
        optimizer = torch.optim.AdamW(module.parameters(), lr=0.1, weight_decay=0.2, fused=True)
        for step in range(20):
            optimizer.zero_grad()
            (module(batches[step % 2]) ** 2).sum().backward()
            optimizer.step()

    train(few)
    assert torch.equal(whole.weight, pristine)
    (found,) = widen(few.narrowed("table"), {"table.weight": pristine}).values()
    train(whole)
    # Twenty products in float32, in another order for the tokens that do not occur.
    torch.testing.assert_close(found, whole.weight.detach(), rtol=1e-5, atol=1e-7)
    assert not torch.allclose(found[1], pristine[1], rtol=0.1)


def test_a_table_that_does_not_fit_stays_as_it_is_and_is_refused(tmp_path):
    model, narrow = tiny_model("bert"), f"{TABLES['bert']}.weight"
    parameters = dict(model.named_parameters())
    width = parameters[narrow].shape[1]
    for few, ids in (
        (torch.ones(3, width), torch.tensor([1, 2, 3])),  # as many rows as tokens: the row of ones is missing
        (torch.ones(3, width + 1), torch.tensor([1, 2])),  # another model's
        (torch.ones(3, width), torch.tensor([1, 10**6])),
        (torch.ones(3, width), torch.tensor([1.0, 2.0])),
        (torch.ones(3, width), torch.tensor([[1], [2]])),
    ):
        save_file({**parameters, narrow: few, f"{narrow}:ids": ids}, tmp_path / "1.safetensors")
        with pytest.raises(ModelError, match=f"1 tensors differ, among them {narrow}"):
            load_checkpoint(tmp_path / "1.safetensors", parameters)


def test_a_token_that_was_not_announced_is_an_error_and_not_a_wrong_row():
    few = Occurring(nn.Embedding(50, 4), torch.tensor([3, 7]))
    with pytest.raises(IndexError):
        few(torch.tensor([4]))


@pytest.mark.parametrize("name", TABLES)
def test_a_trial_measures_and_keeps_what_it_would_with_the_whole_table(tmp_path, monkeypatch, name):
    whole = study_inputs(tmp_path, save_pretrained(name, tmp_path / name))
    things = replace(whole, cache_plan=CachePlan(tables={name: TABLES[name]}))
    path, model = tmp_path / "1.safetensors", things.models[0].name
    shapes = []
    original = Occurring.__init__

    def noted(self, table, ids):
        original(self, table, ids)
        shapes.append(tuple(self.weight.shape))

    monkeypatch.setattr(Occurring, "__init__", noted)
    # Both in the same pieces, or the masks of dropout would meet other rows.
    monkeypatch.setattr(Workbench, "_piece_tokens", lambda *_: 3.0)
    few = measured(Workbench(things), path, model=name, weight_decay=0.3)
    table = f"{TABLES[name]}.weight"
    cached_output, pretrained = (
        load_file(path),
        hf.AutoModelForSequenceClassification.from_pretrained(tmp_path / name),
    )
    assert cached_output[table].shape == (len(WORDS) - 1 + 1, 16)
    kept = widen(cached_output, dict(pretrained.named_parameters()))
    assert shapes == [(len(WORDS) - 1 + 1, 16)]  # [UNK] never occurs; the row of ones
    everything = measured(Workbench(whole), path, model=model, weight_decay=0.3)
    assert len(shapes) == 1
    assert few == [pytest.approx(each, rel=1e-4) for each in everything]
    for tensor, expected in load_file(path).items():
        torch.testing.assert_close(kept[tensor], expected, rtol=1e-3, atol=1e-5)


def test_the_table_is_back_after_a_trial_that_was_closed():
    model = tiny_model("bert")
    table = model.get_input_embeddings()
    with ExitStack() as stack:
        stack.enter_context(suppress(RuntimeError))
        occurring = occurring_tokens(model, TABLES["bert"], Ragged(np.array([1, 2]), np.array([0, 2])))
        stack.enter_context(occurring_tokens_only(model, TABLES["bert"], occurring))
        assert model.get_input_embeddings() is not table
        raise RuntimeError
    assert model.get_input_embeddings() is table
