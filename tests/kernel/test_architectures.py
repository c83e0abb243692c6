"""What holds of every architecture that autoft fine-tunes: blocks, freezing, stored states, dropout."""

from collections.abc import Iterator, Mapping, Sequence

import pytest
import torch
from torch import nn

from autoft.kernel.blocks import Anatomy, find_blocks, trained_parameters
from autoft.kernel.boundary.inject import Cut, cut_states, cuts, injected, states_at
from autoft.kernel.boundary.valid import refusal
from autoft.kernel.freeze import evaluation_mode, restore_dropout_places, set_depth
from autoft.spec.hyperparameters import Depth

from .architectures import ARCHITECTURES, Architecture
from .tiny import configs

ANY = pytest.mark.parametrize("name", ARCHITECTURES)


class Examined:
    """A model and what was found in it, on rows of its kind."""

    def __init__(self, name: str) -> None:
        self.wanted: Architecture = ARCHITECTURES[name]
        self.model = self.wanted.build()
        restore_dropout_places(self.model)
        self.inputs: Mapping[str, torch.Tensor] = self.wanted.inputs(self.model)
        self.anatomy: Anatomy = find_blocks(self.model, self.inputs)

    def depths(self) -> Iterator[Depth]:
        """Those that train something; a head that is the embeddings has nothing of its own."""
        yield from range(0 if self.wanted.head else 1, len(self.wanted.blocks) + 1)
        yield "all"

    def trained(self, depth: Depth) -> set[str]:
        """The names of the parameters that `depth` has to train."""
        wanted, names = self.wanted, [name for name, _ in self.model.named_parameters()]
        if depth == "all":
            return {name for name in names if not name.startswith(wanted.constants or "-")}
        top = tuple(f"{block}." for block in wanted.blocks[len(wanted.blocks) - depth :])
        lent = {name for name in names if any(part in name for part in wanted.shared)}
        return {name for name in names if name.startswith((*top, *wanted.head))} - lent

    def logits(self) -> torch.Tensor:
        return self.model(**self.inputs).logits

    def gradients(self, logits: torch.Tensor, depth: Depth) -> list[torch.Tensor | None]:
        trained = list(trained_parameters(self.model, self.anatomy, depth).values())
        return list(torch.autograd.grad(loss(logits), trained, allow_unused=True))


def loss(logits: torch.Tensor) -> torch.Tensor:
    """Uneven weights, because the plain sum of some heads' logits is a constant."""
    return (logits * torch.linspace(-1, 1, logits.numel()).view_as(logits)).sum()


def test_every_small_model_of_the_tests_is_among_them():
    assert set(configs()) - {"xlm"} <= set(ARCHITECTURES)  # XLM has no stack, see test_blocks


@ANY
def test_blocks_are_found_in_forward_order(name):
    assert Examined(name).anatomy.block_names == ARCHITECTURES[name].blocks


@ANY
def test_a_step_changes_exactly_what_its_depth_trains(name):
    one = Examined(name)
    for depth in one.depths():
        set_depth(one.model, one.anatomy, depth, dropout=0.1)
        trained = one.trained(depth)
        assert {key for key, value in one.model.named_parameters() if value.requires_grad} == trained
        before = {key: value.detach().clone() for key, value in one.model.named_parameters()}
        one.model.zero_grad()
        loss(one.logits()).backward()
        torch.optim.AdamW([p for p in one.model.parameters() if p.requires_grad], lr=0.01).step()
        changed = {key for key, value in one.model.named_parameters() if not torch.equal(value, before[key])}
        assert changed <= trained
        top = [*one.anatomy.block_names[-depth:]] if isinstance(depth, int) and depth else []
        assert all(any(key.startswith(f"{block}.") for key in changed) for block in top)
        assert all(any(key.startswith(part) for key in changed) for part in one.wanted.head)


@ANY
def test_stored_states_change_no_bit_or_are_refused_with_the_reason(name):
    one = Examined(name)
    blocks, refused = len(one.anatomy.blocks), dict(one.wanted.refused)
    for depth in range(blocks):
        if depth in refused:
            assert refused[depth] in refusal(one.model, one.anatomy, depth)
            continue
        assert refusal(one.model, one.anatomy, depth) is None
        set_depth(one.model, one.anatomy, depth, dropout=0.0)
        evaluation_mode(one.model)
        plain = one.logits()
        cut, states = stored(one, depth)
        with injected(one.model, one.anatomy, *cut) as cached_output:
            cached_output.states = states
            cached = one.logits()
        assert torch.equal(plain, cached)
        if not trained_parameters(one.model, one.anatomy, depth):
            continue
        for gradient, other in zip(one.gradients(plain, depth), one.gradients(cached, depth), strict=True):
            assert (gradient is None and other is None) or torch.equal(gradient, other)


def stored(one: Examined, depth: int) -> tuple[Cut, torch.Tensor]:
    """The first cut that can be stored: rows of an encoder and its decoder may be of other lengths."""
    for cut in cuts(one.anatomy, depth):
        found = states_at(one.model, one.anatomy, cut, one.inputs)
        if len({found[boundary].shape for boundary in cut}) == 1:
            return cut, cut_states(found, cut)
    raise AssertionError(f"no cut at depth {depth}")


def outputs(one: Examined, seed: int) -> list[torch.Tensor]:
    """What each block returned, and the logits."""
    found: dict[nn.Module, torch.Tensor] = {}

    def keep(module: nn.Module, args: object, output: torch.Tensor | Sequence[torch.Tensor]) -> None:
        found[module] = (output if isinstance(output, torch.Tensor) else output[0]).detach()

    handles = [block.register_forward_hook(keep) for block in one.anatomy.blocks]
    torch.manual_seed(seed)
    logits = one.logits().detach()
    for handle in handles:
        handle.remove()
    return [*(found[block] for block in one.anatomy.blocks), logits]


def vary(one: Examined) -> list[bool]:
    """Whether the outputs of each block, and the logits, are others with other random numbers."""
    pairs = zip(outputs(one, 1), outputs(one, 2), strict=True)
    return [not torch.equal(first, second) for first, second in pairs]


@ANY
def test_dropout_reaches_the_trained_blocks_and_the_head_and_no_frozen_block(name):
    one = Examined(name)
    blocks = len(one.anatomy.blocks)
    for depth in (*range(blocks + 1), "all"):
        set_depth(one.model, one.anatomy, depth, dropout=0.0)
        assert not any(vary(one))
        set_depth(one.model, one.anatomy, depth, dropout=0.5)
        trained = blocks if depth == "all" else depth
        drops = one.wanted.drops and trained > 0
        assert vary(one) == [
            *[False] * (blocks - trained),
            *[one.wanted.drops] * trained,
            drops or one.wanted.head_drops,
        ]
