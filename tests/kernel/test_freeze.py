"""Frozen means frozen, beside what `conformance` has of every architecture."""

import pytest
import torch
from torch import nn

from autoft.kernel.freeze import set_depth, trained_statistics

from .tiny import WORDS, anatomy_of, tiny_model

TEXT = ("bert", "distilbert", "roberta", "deberta-v2", "gpt2")


def batch(rows: int = 6) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, len(WORDS), (rows, 9), generator=generator)
    ids[:, -1] = 2  # T5 and BART pool on the end-of-text token
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def loss_of(model: nn.Module) -> torch.Tensor:
    labels = torch.arange(6) % 3
    return nn.functional.cross_entropy(model(**batch()).logits, labels)


@pytest.mark.parametrize("name", TEXT)
def test_embeddings_do_not_drop_even_when_they_are_trained(name):
    model = tiny_model(name)
    anatomy = anatomy_of(model)
    set_depth(model, anatomy, "all", dropout=0.5)
    entered: list[torch.Tensor] = []
    anatomy.blocks[0].register_forward_pre_hook(
        lambda _module, args, kwargs: entered.append((*args, *kwargs.values())[0].detach()), with_kwargs=True
    )
    for seed in (1, 2):
        torch.manual_seed(seed)
        model(**batch())
    assert torch.equal(*entered)


@pytest.mark.parametrize("name", TEXT)
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_no_graph_is_recorded_below_the_boundary(name, depth):
    model = tiny_model(name)
    anatomy = anatomy_of(model)
    set_depth(model, anatomy, depth, dropout=0.1)
    recorded: list[bool] = []
    for block in anatomy.blocks:
        block.register_forward_hook(
            lambda _module, _args, out: recorded.append(
                (out if isinstance(out, torch.Tensor) else out[0]).requires_grad
            )
        )
    loss_of(model)
    assert recorded == [False] * (3 - depth) + [True] * depth


def test_batch_norm_moves_in_trained_blocks_only():
    model = tiny_model("resnet")
    anatomy = anatomy_of(model)
    set_depth(model, anatomy, 1, dropout=0.0)
    before = {name: value.clone() for name, value in model.named_buffers()}
    generator = torch.Generator().manual_seed(0)
    model(pixel_values=torch.randn(2, 3, 64, 64, generator=generator))
    moved = {name for name, value in model.named_buffers() if not torch.equal(value, before[name])}
    top = "resnet.encoder.stages.1.layers.1."
    assert moved == {name for name in before if name.startswith(top)}
    assert moved == set(trained_statistics(model, anatomy, 1))
    assert set(trained_statistics(model, anatomy, "all")) == set(before)


def test_stochastic_depth_is_left_as_the_architecture_has_it():
    model = tiny_model("swin")
    rates = {name: m.drop_prob for name, m in model.named_modules() if hasattr(m, "drop_prob")}
    set_depth(model, anatomy_of(model), "all", dropout=0.5)
    assert rates
    assert {name: m.drop_prob for name, m in model.named_modules() if hasattr(m, "drop_prob")} == rates
