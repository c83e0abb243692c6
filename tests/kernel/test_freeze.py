"""Rules 1 and 2 of the design, on every kind of text architecture.

Which parameters each depth trains is written down by name from the architectures' sources.
"""

import re

import pytest
import torch
from torch import nn

from autoft.kernel.blocks import find_blocks
from autoft.kernel.freeze import restore_dropout_places, set_depth, trained_statistics

from .tiny import WORDS, tiny_model

BLOCK = {
    "bert": r"bert\.encoder\.layer\.(\d)\.",
    "distilbert": r"distilbert\.transformer\.layer\.(\d)\.",
    "roberta": r"roberta\.encoder\.layer\.(\d)\.",
    "deberta-v2": r"deberta\.encoder\.layer\.(\d)\.",
    "gpt2": r"transformer\.h\.(\d)\.",
}
HEAD = {
    "bert": r"bert\.pooler|classifier",
    "distilbert": r"pre_classifier|classifier",
    "roberta": r"classifier",
    "deberta-v2": r"pooler|classifier",
    "gpt2": r"transformer\.ln_f|score",
}
DEPTHS = (0, 1, 2, 3, "all")
MORE = ("modernbert", "llama", "bart", "t5", "mpnet", "electra")
"""Dropout kept as attributes, in the configuration, or left out where the configuration says 0."""


def wanted(name: str, parameters: list[str], depth: int | str) -> set[str]:
    def is_trained(parameter: str) -> bool:
        block = re.match(BLOCK[name], parameter)
        return (
            depth == "all"
            or bool(re.match(HEAD[name], parameter))
            or (block is not None and int(block[1]) >= 3 - depth)
        )

    return {parameter for parameter in parameters if is_trained(parameter)}


def batch(rows: int = 6) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, len(WORDS), (rows, 9), generator=generator)
    ids[:, -1] = 2  # T5 and BART pool on the end-of-text token
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def loss_of(model: nn.Module) -> torch.Tensor:
    labels = torch.arange(6) % 3
    return nn.functional.cross_entropy(model(**batch()).logits, labels)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("name", BLOCK)
def test_three_steps_change_exactly_the_trained_parameters(name, depth):
    model = tiny_model(name)
    before = {key: value.detach().clone() for key, value in model.named_parameters()}
    set_depth(model, find_blocks(model), depth, dropout=0.1)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        loss_of(model).backward()
        optimizer.step()
    changed = {key for key, value in model.named_parameters() if not torch.equal(value, before[key])}
    assert changed == wanted(name, list(before), depth)


def block_outputs(model: nn.Module, blocks: tuple[nn.Module, ...], seed: int) -> list[torch.Tensor]:
    outputs: list[torch.Tensor] = []

    def keep(_module, _args, output):
        outputs.append((output if isinstance(output, torch.Tensor) else output[0]).detach())

    handles = [block.register_forward_hook(keep) for block in blocks]
    torch.manual_seed(seed)
    outputs.append(model(**batch()).logits.detach())
    for handle in handles:
        handle.remove()
    return outputs


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("name", [*BLOCK, *MORE])
def test_dropout_reaches_every_trained_block_and_no_frozen_one(name, depth):
    model = tiny_model(name)
    restore_dropout_places(model)
    anatomy = find_blocks(model)
    set_depth(model, anatomy, depth, dropout=0.0)
    still = [block_outputs(model, anatomy.blocks, seed) for seed in (1, 2)]
    assert all(torch.equal(first, second) for first, second in zip(*still, strict=True))

    set_depth(model, anatomy, depth, dropout=0.5)
    moving = [block_outputs(model, anatomy.blocks, seed) for seed in (1, 2)]
    differs = [not torch.equal(first, second) for first, second in zip(*moving, strict=True)][:-1]
    frozen = len(anatomy.frozen_blocks(depth))
    assert differs == [False] * frozen + [True] * (len(anatomy.blocks) - frozen)


@pytest.mark.parametrize("name", [name for name in BLOCK if name != "gpt2"])  # GPT-2's head has no dropout
def test_at_depth_0_dropout_still_reaches_the_head(name):
    model = tiny_model(name)
    set_depth(model, find_blocks(model), 0, dropout=0.5)
    first, second = (block_outputs(model, (), seed)[0] for seed in (1, 2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("name", BLOCK)
def test_embeddings_do_not_drop_even_when_they_are_trained(name):
    model = tiny_model(name)
    anatomy = find_blocks(model)
    set_depth(model, anatomy, "all", dropout=0.5)
    entered: list[torch.Tensor] = []
    anatomy.blocks[0].register_forward_pre_hook(
        lambda _module, args, kwargs: entered.append((*args, *kwargs.values())[0].detach()), with_kwargs=True
    )
    for seed in (1, 2):
        torch.manual_seed(seed)
        model(**batch())
    assert torch.equal(*entered)


@pytest.mark.parametrize("name", BLOCK)
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_no_graph_is_recorded_below_the_boundary(name, depth):
    model = tiny_model(name)
    anatomy = find_blocks(model)
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
    anatomy = find_blocks(model)
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
    set_depth(model, find_blocks(model), "all", dropout=0.5)
    assert rates
    assert {name: m.drop_prob for name, m in model.named_modules() if hasattr(m, "drop_prob")} == rates
