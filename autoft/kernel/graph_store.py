"""Captured steps of a resident model, and all that they have baked in: kept for every trial of it."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel

from autoft.data.batch import Batch
from autoft.kernel.device import free_gpu_memory
from autoft.kernel.optimizer import Moments, new_moments
from autoft.kernel.step_numbers import StepNumbers

MOST = 64
"""Graphs that are kept; the least recently used one goes first. A trial has at most 20 padded lengths of
whole batches up to 512 tokens (`data.batch.to_grid`), so it does not drive out its own."""
POOL_SHARE = 0.5
"""Of what a process can get of a GPU's memory that the graphs' pool may take; else the next trial starts
without graphs."""


@dataclass(frozen=True, eq=False)
class Captured:
    """One step as a CUDA graph."""

    graph: torch.cuda.CUDAGraph
    batch: Batch
    """What the graph reads; to be filled before each replay."""
    loss: torch.Tensor
    """What it writes; good until the next replay of any graph."""

    def replay(self, batch: Batch) -> torch.Tensor:
        """The step on `batch`; gives its loss. Nothing is allocated once the weights change."""
        for into, source in zip(_tensors(self.batch), _tensors(batch), strict=True):
            into.copy_(source)
        loss = torch.empty_like(self.loss)
        self.graph.replay()
        return loss.copy_(self.loss)


class GraphStore:
    """Belongs to one resident model; its tensors and graphs go with it."""

    def __init__(self, model: PreTrainedModel, groups: int, own: Sequence[str]) -> None:
        """For trials of at most so many groups of parameters; `own` as `StepNumbers` has it."""
        self._model, self._device = model, model.device
        self.numbers = StepNumbers(self._device, groups, own)
        self.refused: dict[Hashable, str] = {}
        """By key, why its steps cannot be captured."""
        self._moments: dict[nn.Parameter, Moments] = {}
        self._asked: set[nn.Parameter] = set()
        """Those whose moments the trial that runs has."""
        self._graphs: OrderedDict[Hashable, Captured] = OrderedDict()
        self._pool_bytes = 0

    def begin_trial(self) -> None:
        """Makes room where the graphs of earlier trials have grown too large."""
        self._asked.clear()
        taken = self._pool_bytes
        if taken and taken > POOL_SHARE * (free_gpu_memory(self._device) + taken):
            self.clear()

    def clear(self) -> bool:
        """Forgets all graphs, and moments of earlier trials; False if there are none."""
        others = self._moments.keys() - self._asked
        held = bool(self._graphs or others)
        for parameter in others:
            del self._moments[parameter]
        self._graphs.clear()
        self._pool_bytes = 0
        return held

    def forget(self, parameter: nn.Parameter) -> None:
        """It is about to go, and with it all graphs, which may have baked it in."""
        self._moments.pop(parameter, None)
        self.clear()

    def moments(self, parameter: nn.Parameter) -> Moments:
        """Of a parameter before its first step, in one place for all trials."""
        if parameter not in self._moments:
            self._moments[parameter] = new_moments(parameter)
        for tensor in self._moments[parameter].values():
            tensor.zero_()
        self._asked.add(parameter)
        return self._moments[parameter]

    def captured(
        self,
        key: Hashable,
        batch: Batch,
        gradients: Callable[[Batch], torch.Tensor],
        apply: Callable[[], None],
    ) -> Captured:
        """The graph of `key` and of a batch of this shape, captured if there is none.

        Args:
            key: all that the graph has baked in, but for the shape.
            batch: on the device.
            gradients: computes them, and gives the loss.
            apply: changes the weights, and frees the gradients.

        Raises:
            RuntimeError: memory is short, or what the step does cannot be captured; nothing has changed.
        """
        whole = key, tuple((tensor.shape, tensor.dtype) for tensor in _tensors(batch))
        if whole not in self._graphs:
            while len(self._graphs) >= MOST:
                self._graphs.popitem(last=False)
            self._graphs[whole] = self._capture(batch, gradients, apply)
        self._graphs.move_to_end(whole)
        return self._graphs[whole]

    def _capture(
        self, batch: Batch, gradients: Callable[[Batch], torch.Tensor], apply: Callable[[], None]
    ) -> Captured:
        own = Batch(
            {name: tensor.clone() for name, tensor in batch.inputs.items()},
            {name: tensor.clone() for name, tensor in batch.targets.items()},
            None if batch.states is None else batch.states.clone(),
        )
        self._warm_up(lambda: gradients(own))
        graph = torch.cuda.CUDAGraph()
        pool = next((each.graph.pool() for each in self._graphs.values()), None)  # one for all
        torch.cuda.empty_cache()  # as the capture does, so that what it adds is its own
        held = torch.cuda.memory_reserved(self._device)
        main = torch.cuda.current_stream()
        try:
            # Another thread's calls do not matter: a library may have one.
            with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
                loss = gradients(own).detach()
                apply()
        except BaseException:
            torch.cuda.set_stream(main)  # torch stays on the capture's where that cannot be ended
            raise
        self._pool_bytes += max(0, torch.cuda.memory_reserved(self._device) - held)
        return Captured(graph, own, loss)

    def _warm_up(self, gradients: Callable[[], object]) -> None:
        """Once without capture, which libraries use to set themselves up; leaves no trace."""
        random = torch.cuda.get_rng_state(self._device)
        buffers = [(buffer, buffer.clone()) for buffer in self._model.buffers()]
        main = torch.cuda.current_stream()
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(main)
        try:
            with torch.cuda.stream(side):
                gradients()
        finally:
            main.wait_stream(side)
            for parameter in self._model.parameters():
                parameter.grad = None
            for buffer, before in buffers:
                buffer.copy_(before)
            torch.cuda.set_rng_state(random, self._device)


def _tensors(batch: Batch) -> list[torch.Tensor]:
    return [
        *batch.inputs.values(),
        *batch.targets.values(),
        *([] if batch.states is None else [batch.states]),
    ]
