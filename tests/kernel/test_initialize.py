import numpy as np
import pytest
import torch

from autoft.kernel.initialize import derive_seed, fresh_parameters, initialize, set_output_bias

from ..conformance.architectures import LANGUAGE
from .tiny import tiny_model

HEADS = {
    "bert": {"classifier.weight", "classifier.bias"},
    "modernbert": {"head.dense.weight", "head.norm.weight", "classifier.weight", "classifier.bias"},
    "gpt2": {"score.weight"},
}


@pytest.mark.parametrize("name", HEADS)
def test_the_seed_alone_decides_the_head_and_nothing_else_moves(name):
    model = tiny_model(name)
    fresh = fresh_parameters(model, missing=(), new_head=True)
    assert set(fresh) == HEADS[name]
    before = {key: value.detach().clone() for key, value in model.named_parameters()}
    drawn = []
    for seed in (1, 2, 1):
        with torch.no_grad():
            for key in fresh:
                model.get_parameter(key).fill_(9.0)
        torch.rand(3)  # whatever used the random state before
        initialize(model, fresh, seed)
        drawn.append({key: value.detach().clone() for key, value in model.named_parameters()})
    weight = next(key for key in fresh if key.endswith(("classifier.weight", "score.weight")))
    assert all(torch.equal(drawn[0][key], drawn[2][key]) for key in before)
    assert not torch.equal(drawn[0][weight], drawn[1][weight])
    assert all(torch.equal(drawn[1][key], before[key]) for key in before if key not in fresh)


def test_initial_values_are_those_of_the_architecture():
    model = tiny_model("bert")
    initialize(model, fresh_parameters(model, missing=(), new_head=True), seed=0)
    # BERT: normal with config.initializer_range 0.02, biases 0. 48 weights: the spread is within 30 percent.
    assert model.classifier.weight.std().item() == pytest.approx(0.02, rel=0.3)
    assert model.classifier.bias.abs().sum().item() == 0


def test_the_output_layer_s_bias_can_be_given_and_nothing_else_moves():
    model, bias = tiny_model("modernbert"), np.array([-1.0, 2.0, 0.5], np.float32)
    fresh = fresh_parameters(model, missing=(), new_head=True)
    before = {key: value.detach().clone() for key, value in model.named_parameters()}
    set_output_bias(model, fresh, bias)
    assert model.classifier.bias.tolist() == bias.tolist()
    moved = [key for key, value in model.named_parameters() if not torch.equal(value, before[key])]
    assert moved == ["classifier.bias"]


def test_an_output_layer_without_bias_stays_as_it_is_and_that_is_said(capsys):
    model = tiny_model("gpt2")
    before = model.score.weight.detach().clone()
    set_output_bias(model, fresh_parameters(model, missing=(), new_head=True), np.zeros(3, np.float32))
    assert torch.equal(model.score.weight, before)
    assert "output layer of GPT2ForSequenceClassification has no bias" in capsys.readouterr().out


def test_an_output_layer_that_is_not_drawn_anew_keeps_its_bias():
    model, before = tiny_model("bert"), tiny_model("bert").classifier.bias
    set_output_bias(model, ("bert.pooler.dense.bias",), np.ones(3, np.float32))
    assert torch.equal(model.classifier.bias, before)


def test_what_the_checkpoint_lacks_is_fresh_wherever_it_lies():
    names = fresh_parameters(tiny_model("bert"), missing={"bert.pooler.dense.weight"}, new_head=True)
    assert set(names) == {"bert.pooler.dense.weight", *HEADS["bert"]}


@pytest.mark.parametrize("name", LANGUAGE)
def test_a_pretrained_language_model_s_head_is_not_drawn_anew(name):
    model = LANGUAGE[name].build()
    assert fresh_parameters(model, missing=(), new_head=False) == ()
    first = next(name for name, _ in model.named_parameters())
    assert fresh_parameters(model, missing={first}, new_head=False) == (first,)


def test_seeds_of_neighbouring_steps_and_trials_differ():
    seeds = {derive_seed(seed, 1, step) for seed in range(20) for step in range(20)}
    assert len(seeds) == 400
    assert all(0 <= seed < 2**63 for seed in seeds)
