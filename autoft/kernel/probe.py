"""One forward pass of a few rows that shows in which order a model's modules run, and who feeds whom.

Names and registration order lie (a pooler may be registered before the encoder, a decoder after the
head); what really ran does not.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

ReturnSpec = tuple[int | str | None, ...] | None
"""How a module returns its states: () as a tensor, n entries as the first of a tuple of n, None otherwise.

Each entry is the position or keyword of the argument that the module hands on, untouched, in that place of
the tuple; None where it hands on none.
"""


@dataclass
class Calls:
    """When each module ran during the pass, and through which tensors it was connected."""

    first_start: dict[nn.Module, int] = field(default_factory=dict)
    """Tick of the module's first call; modules that never ran are absent."""
    last_end: dict[nn.Module, int] = field(default_factory=dict)
    inputs: dict[nn.Module, list[int]] = field(default_factory=dict)
    """Addresses of the floating tensors that the module's first call received; the first are its states."""
    outputs: dict[nn.Module, int] = field(default_factory=dict)
    """Address of the first tensor that the module's last call returned."""
    outlets: dict[nn.Module, ReturnSpec] = field(default_factory=dict)
    shapes: dict[nn.Module, torch.Size] = field(default_factory=dict)
    """Of the first tensor that the module's last call returned."""
    made: dict[int, int] = field(default_factory=dict)
    """Tick at which a module that had not been given the tensor at an address first returned it."""
    runs: Counter[nn.Module] = field(default_factory=Counter)
    """How often each module was called."""
    kept: list[torch.Tensor] = field(default_factory=list)
    """Every tensor seen: while it lives, its address belongs to nobody else."""
    tick: int = 0

    def feeds(self, first: nn.Module, second: nn.Module) -> bool:
        """Whether the output of `first` went untouched into `second`."""
        return first in self.outputs and self.outputs[first] in self.inputs.get(second, [])

    def starts(self, outer: nn.Module, inner: nn.Module) -> bool:
        """Whether the states that `outer` received went untouched into `inner`."""
        states = self.inputs.get(outer, [])[:1]
        return bool(states) and states == self.inputs.get(inner, [])[:1]

    def ends(self, outer: nn.Module, inner: nn.Module) -> bool:
        """Whether `outer` returned untouched what `inner` computed."""
        return inner in self.outputs and self.outputs.get(outer) == self.outputs[inner]


def record_calls(model: nn.Module, inputs: Mapping[str, torch.Tensor]) -> Calls:
    """Run the model once in evaluation mode, without gradients, and note every module's calls.

    The model is left as it was: modes, weights and the random state are untouched.
    """
    calls = Calls()
    with _evaluating(model), _hooked(model, calls), torch.no_grad():
        model(**inputs)
    return calls


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def _hooked(model: nn.Module, calls: Calls) -> Iterator[None]:
    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        calls.tick += 1
        if module not in calls.first_start:
            calls.first_start[module] = calls.tick
            values = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]
            states = [value for value in values if value.is_floating_point()]
            calls.kept.extend(states)
            calls.inputs[module] = [tensor.data_ptr() for tensor in states]

    def after(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        calls.tick += 1
        calls.last_end[module] = calls.tick
        calls.runs[module] += 1
        given = arguments(args, kwargs)
        calls.outlets[module] = _returns(output, given)
        tensors = list(_tensors(output))
        calls.kept.extend(tensors)
        for tensor in tensors:
            if not any(tensor is value for value in given.values()):
                calls.made.setdefault(tensor.data_ptr(), calls.tick)
        if tensors:
            calls.outputs[module] = tensors[0].data_ptr()
            calls.shapes[module] = tensors[0].shape

    handles = []
    for module in model.modules():
        handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
        handles.append(module.register_forward_hook(after, with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[int | str, Any]:
    """What a call was given, by position and keyword, as an `ReturnSpec` names it."""
    given: dict[int | str, Any] = dict(enumerate(args))
    given.update(kwargs.items())
    return given


def _returns(output: Any, given: Mapping[int | str, Any]) -> ReturnSpec:
    if isinstance(output, torch.Tensor):
        return ()
    if type(output) is tuple and output and isinstance(output[0], torch.Tensor):
        return (None, *(_handed_on(value, given) for value in output[1:]))
    return None


def _handed_on(value: Any, given: Mapping[int | str, Any]) -> int | str | None:
    if not isinstance(value, torch.Tensor):
        return None
    return next((place for place, argument in given.items() if argument is value), None)


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    """All tensors of what a module returned, in order."""
    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, (Mapping, tuple, list)):
        for value in output.values() if isinstance(output, Mapping) else output:
            yield from _tensors(value)
