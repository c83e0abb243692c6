"""States in place of the frozen prefix: the model's own forward pass still builds masks, positions and head.

Of the b blocks below a boundary, the top one is replaced by a module that returns stored states, and
those below it by modules that let pass what they are given. Where a block above takes more than states from
one of them, that one and all below it stay and run (`Anatomy.still_run`): T5's first block makes the position
bias that all the others hand on. Where a decoder is cut, its blocks take the encoder's output too, so that is
stored with its own states, or alone (`cuts`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from autoft.kernel.blocks import Anatomy
from autoft.kernel.boundary.plan import Cut
from autoft.kernel.probe import ReturnSpec, arguments
from autoft.spec.hyperparameters import Depth


def cuts(anatomy: Anatomy, depth: Depth) -> list[Cut]:
    """What may stand below the trained blocks of `depth`, most spared first.

    In a decoder it is the states there with the encoder's output; or that output alone, above which the
    decoder's frozen blocks run. Empty where all frozen blocks have to run.
    """
    frozen, end = len(anatomy.frozen_blocks(depth)), anatomy.encoder_end
    found: list[Cut] = [(frozen,)]
    if end is not None and frozen > end:  # what follows the last block takes that one's states alone
        found = [(frozen,) if frozen == len(anatomy.blocks) else (end, frozen), (end,)]
    return [cut for cut in found if anatomy.still_run[cut[-1]] < cut[-1]]


class _PassThrough(nn.Module):
    """Stands for a part of a model that is not to run. What else the model asks of the part, it answers."""

    def __init__(self, part: nn.Module, returns: ReturnSpec) -> None:
        super().__init__()
        self.__dict__["_part"] = part  # not a child: its parameters are no part of what is trained
        self._returns = returns
        self.training = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_part"], name)

    def _wrapped(self, states: torch.Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not self._returns:
            return states
        given = arguments(args, kwargs)
        return (states, *(None if place is None else given[place] for place in self._returns[1:]))


class PassThrough(_PassThrough):
    """Stands for a frozen block whose result nobody reads: gives back the states that it is given."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the block would return, with the states that came in."""
        values = (*args, *kwargs.values())
        states = next(value for value in values if isinstance(value, torch.Tensor))
        return self._wrapped(states, args, kwargs)


@dataclass
class CachedOutput:
    """What was computed before, of the batch that comes next."""

    states: torch.Tensor | None = None
    """[rows, tokens, hidden] of a text model; those of several boundaries side by side along the last dim."""

    def part(self, i: int, parts: int) -> torch.Tensor:
        """Those of the i-th of so many boundaries."""
        assert self.states is not None  # whoever runs the model has set them
        return self.states if parts == 1 else self.states.chunk(parts, dim=-1)[i].contiguous()


class _Stored(_PassThrough):
    """Stands for a block: gives the states that were computed before."""

    def __init__(self, part: nn.Module, returns: ReturnSpec, states: Callable[[], torch.Tensor]) -> None:
        super().__init__(part, returns)
        self._states = states

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the block would return, with the stored states.

        In place of the embeddings, whose result nobody reads, a model takes shape, type and device from them.
        """
        return self._wrapped(self._states(), args, kwargs)


@contextmanager
def injected(model: nn.Module, anatomy: Anatomy, *cut: int) -> Iterator[CachedOutput]:
    """Replace the blocks below the boundaries of `cut` for a while; gives the place for the states.

    Those that still run stay, so a boundary right above them has nothing to replace (`cuts` leaves it out).
    """
    cached_output, stands, below = CachedOutput(), dict[str, nn.Module](), 0
    for i, boundary in enumerate(cut):
        first, top = max(below, anatomy.still_run[boundary]), boundary - 1
        states = partial(cached_output.part, i, len(cut))
        for j in range(first, top):
            stands[anatomy.block_names[j]] = PassThrough(anatomy.blocks[j], anatomy.block_outlets[j])
        stands[anatomy.block_names[top]] = _Stored(anatomy.blocks[top], anatomy.block_outlets[top], states)
        below = boundary
    if anatomy.stem_name is not None and anatomy.still_run[cut[0]] == 0:
        stem = model.get_submodule(anatomy.stem_name)
        stands[anatomy.stem_name] = _Stored(stem, (), partial(cached_output.part, 0, len(cut)))
    replaced = {name: model.get_submodule(name) for name in stands}
    try:
        for name, stand in stands.items():
            model.set_submodule(name, stand)
        yield cached_output
    finally:
        for name, part in replaced.items():
            model.set_submodule(name, part)


class _Reached(Exception):  # noqa: N818 - not an error: the rest of the forward pass is not needed
    pass


@torch.no_grad()
def run_to(model: nn.Module, part: str, inputs: Mapping[str, torch.Tensor]) -> None:
    """A forward pass that ends behind the module of that name."""

    def stop(module: nn.Module, args: Any, output: Any) -> None:
        raise _Reached

    handle = model.get_submodule(part).register_forward_hook(stop)
    try:
        model(**inputs)
    except _Reached:
        pass
    finally:
        handle.remove()


@torch.no_grad()
def states_at(
    model: nn.Module,
    anatomy: Anatomy,
    boundaries: Sequence[int],
    inputs: Mapping[str, torch.Tensor],
    dtype: torch.dtype = torch.float32,
) -> dict[int, torch.Tensor]:
    """The states at each of `boundaries` (ascending, each at least 1), in `dtype`.

    The forward pass ends at the highest. At each boundary it goes on with the states as they are rounded to
    `dtype`, so that what lies above is the same whether it is computed from there or from stored states.
    """
    found: dict[int, torch.Tensor] = {}

    def keep(boundary: int, output: Any) -> Any:
        returns = anatomy.block_outlets[boundary - 1]
        states = output[0] if returns else output
        found[boundary] = states.to(dtype)
        if boundary == boundaries[-1]:
            raise _Reached
        rounded = found[boundary].to(states.dtype)
        return (rounded, *output[1:]) if returns else rounded

    handles = [
        anatomy.blocks[boundary - 1].register_forward_hook(
            lambda module, args, output, boundary=boundary: keep(boundary, output)
        )
        for boundary in boundaries
    ]
    try:
        model(**inputs)
    except _Reached:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return found


def cut_states(found: Mapping[int, torch.Tensor], cut: Cut) -> torch.Tensor:
    """What is stored for `cut` of the states at its boundaries: side by side, as `injected` takes it.

    Raises:
        RuntimeError: they are of other shapes, as where an encoder's rows and its decoder's differ in length.
    """
    return found[cut[0]] if len(cut) == 1 else torch.cat([found[boundary] for boundary in cut], dim=-1)
