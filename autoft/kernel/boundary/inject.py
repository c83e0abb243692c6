"""States in place of the frozen prefix: the model's own forward pass still builds masks, positions and head.

Of the b blocks below a boundary, the top one is replaced by a module that returns stored states, and
those below it by modules that let pass what they are given.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from autoft.kernel.blocks import Anatomy
from autoft.kernel.probe import Outlet


class Passing(nn.Module):
    """Stands for a frozen block whose result nobody reads: gives back the states that it is given."""

    def __init__(self, block: nn.Module, outlet: Outlet) -> None:
        super().__init__()
        # Some models ask their blocks for more than a call, such as an attention type. Not a child.
        self.__dict__["_block"] = block
        self._outlet = outlet

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_block"], name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the block would return, with the states that came in."""
        values = (*args, *kwargs.values())
        return self._wrapped(next(value for value in values if isinstance(value, torch.Tensor)))

    def _wrapped(self, states: torch.Tensor) -> Any:
        return (states, *[None] * (self._outlet - 1)) if self._outlet else states


class Held(Passing):
    """Stands for the top frozen block: gives the states that were computed before."""

    states: torch.Tensor | None = None
    """Of the batch that comes next; [rows, tokens, hidden] of a text model."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the block would return, with the stored states."""
        assert self.states is not None  # whoever runs the model has set them
        return self._wrapped(self.states)


@contextmanager
def injected(model: nn.Module, anatomy: Anatomy, boundary: int) -> Iterator[Held]:
    """Replace the `boundary` lowest blocks (at least one) within the block; gives the place for the states."""
    top = boundary - 1
    held = Held(anatomy.blocks[top], anatomy.block_outlets[top])
    stands: list[nn.Module] = [
        Passing(block, outlet)
        for block, outlet in zip(anatomy.blocks[:top], anatomy.block_outlets[:top], strict=True)
    ]
    for stand in (*stands, held):
        stand.training = False
    try:
        for name, stand in zip(anatomy.block_names, (*stands, held), strict=False):
            model.set_submodule(name, stand)
        yield held
    finally:
        for name, block in zip(anatomy.block_names[:boundary], anatomy.blocks, strict=False):
            model.set_submodule(name, block)


class _Reached(Exception):  # noqa: N818 - not an error: the rest of the forward pass is not needed
    pass


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
        outlet = anatomy.block_outlets[boundary - 1]
        states = output[0] if outlet else output
        found[boundary] = states.to(dtype)
        if boundary == boundaries[-1]:
            raise _Reached
        rounded = found[boundary].to(states.dtype)
        return (rounded, *output[1:]) if outlet else rounded

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
