"""Where the head is a chain of modules, a trial of depth 0 calls these and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from autoft.data.batch import collate
from autoft.kernel import workbench
from autoft.kernel.boundary.head import call_in_turn, find_chain
from autoft.kernel.boundary.inject import injected
from autoft.kernel.boundary.states import narrowed
from autoft.kernel.workbench import Workbench

from ..test_workbench import measured
from ..tiny import TASK, anatomy_of, tiny_model
from .test_cache import planned
from .test_injection import rows

CHAINS = {
    "bert": ["bert.pooler", "dropout", "classifier"],
    "deberta-v2": ["pooler", "dropout", "classifier"],
    "roberta": ["classifier"],
    "electra": ["classifier"],
    "mpnet": ["classifier"],
    # These choose a row's token behind or amid the head's modules: there is one.
    "gpt2": ["transformer.ln_f", "score"],
    "llama": ["model.norm", "score"],
    "modernbert": ["model.final_norm", "head", "drop", "classifier"],
}


def chain_of(name):
    model = tiny_model(name)
    anatomy = anatomy_of(model)
    first = narrowed(rows().encoded, "first", "input_ids")
    batch = replace(collate(first, np.arange(6)), states=torch.randn(6, 1, 16))
    with injected(model, anatomy, len(anatomy.blocks)) as cached_output:
        chain = find_chain(TASK, model, anatomy, cached_output, batch)
        model.eval()
        cached_output.states = batch.states
        logits = model(**batch.inputs).logits
    return model, chain, batch.states, logits


@pytest.mark.parametrize(("name", "parts"), CHAINS.items())
def test_the_chain_is_found_and_gives_the_same_bits(name, parts):
    model, chain, states, logits = chain_of(name)
    assert chain == tuple(model.get_submodule(part) for part in parts)
    assert torch.equal(call_in_turn(chain, states), logits)


def test_what_a_model_does_between_its_modules_is_not_left_out():
    assert chain_of("distilbert")[1] is None  # it applies a ReLU


@pytest.mark.parametrize("name", ["bert", "roberta", "gpt2"])
def test_a_trial_has_the_same_bits_with_and_without(tmp_path, monkeypatch, name):
    things = planned(tmp_path, name)
    path = tmp_path / "1.safetensors"
    found = []

    def noted(*arguments):
        found.append(find_chain(*arguments))
        return found[-1]

    monkeypatch.setattr(workbench, "find_chain", noted)
    trial = {"model": things.models[0].name, "unfreeze_depth": 0, "dropout": 0.4}
    chained, kept = measured(Workbench(things), path, **trial), path.read_bytes()
    assert found[0] is not None
    monkeypatch.setattr(workbench, "find_chain", lambda *arguments: None)
    assert measured(Workbench(things), path, **trial) == chained
    assert path.read_bytes() == kept
    assert np.isfinite([m["train_loss"] for m in chained]).all()
