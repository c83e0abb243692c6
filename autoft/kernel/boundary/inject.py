"""States in place of the frozen prefix: the model's own forward pass still builds masks, positions and head.

Of the b blocks below a boundary, the top one is replaced by a module that returns stored states, and
those below it by modules that let pass what they are given. Where a block above takes more than states from
one of them, that one and all below it stay and run (`Anatomy.still_run`): T5's first block makes the position
bias that all the others hand on.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from autoft.kernel.blocks import Anatomy
from autoft.kernel.probe import ReturnSpec, arguments


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


class CachedOutput(_PassThrough):
    """Stands for the top frozen block: gives the states that were computed before."""

    states: torch.Tensor | None = None
    """Of the batch that comes next; [rows, tokens, hidden] of a text model."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the block would return, with the stored states."""
        assert self.states is not None  # whoever runs the model has set them
        return self._wrapped(self.states, args, kwargs)


class _CachedStem(_PassThrough):
    """Stands for the embeddings, whose result nobody reads either: gives something of its shape."""

    def __init__(self, part: nn.Module, cached_output: CachedOutput) -> None:
        super().__init__(part, ())
        self.__dict__["_held"] = cached_output

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The stored states, from which a model takes shape, type and device."""
        states = self.__dict__["_held"].states
        assert states is not None
        return states


@contextmanager
def injected(model: nn.Module, anatomy: Anatomy, boundary: int) -> Iterator[CachedOutput]:
    """Replace the blocks below `boundary` (at least one) for a while; gives the place for the states.

    Those that still run stay, so a boundary right above them has nothing to replace (`refusal` says so).
    """
    first, top = anatomy.still_run[boundary], boundary - 1
    cached_output = CachedOutput(anatomy.blocks[top], anatomy.block_outlets[top])
    stands: dict[str, nn.Module] = {
        anatomy.block_names[i]: PassThrough(anatomy.blocks[i], anatomy.block_outlets[i])
        for i in range(first, top)
    }
    stands[anatomy.block_names[top]] = cached_output
    if anatomy.stem_name is not None and first == 0:
        stands[anatomy.stem_name] = _CachedStem(model.get_submodule(anatomy.stem_name), cached_output)
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
