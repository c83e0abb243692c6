"""One optimizer step, in two forms.

Eager: one operation at a time, the batch in pieces where memory is short; rates are numbers.

Capturable: what changes from step to step or from trial to trial are tensors (`StepNumbers`), batches are
padded to few lengths, and the weight decay stands outside of AdamW. On a GPU such a step is captured as a
CUDA graph and replayed, which spares the launches. Whether a step is replayed follows from the trial's own
batches, so its result does not depend on what was captured before. On a CPU it runs as it is, which tests do.

Dropout is a number in fused attention, and a graph bakes it in. So trials of the same dropout share their
graphs, and one with a dropout of its own captures its own. An attention whose dropout is a tensor would have
to write out its weights, and no card was there to measure that. For the same reason only shapes are captured
that a trial has often enough to pay for it alone.
"""

from collections import Counter
from collections.abc import Mapping, Set

import numpy as np
import torch
from torch import nn

from autoft.data.batch import DRAWS, Batch
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.memory import OutOfMemory, is_out_of_memory
from autoft.kernel.optimizer import CapturableAdamW, build_optimizer, rates, set_rate
from autoft.kernel.trial_context import (
    TrialContext,
    add_gradients,
    gradients_of,
    largest_piece,
    step_weight,
)

OFTEN, OFTEN_A_PARAMETER = 12, 78 / 110e6
"""Batches of a shape in a trial from which a capture pays: at least OFTEN. Measured on one H200: of MiniLM,
with 23 million parameters, it takes 0.2 s and saves 21 ms a step, which is 10 batches; of BERT-base, with 110
million, 2.4 s and 31 ms, 78 batches."""


class Step:
    """Takes the steps of one trial."""

    def __init__(
        self,
        context: TrialContext,
        config: FineTuneConfig,
        trained: Mapping[str, nn.Parameter],
        micro_batch: int,
    ) -> None:
        """`trained` parameters by name; a batch is computed in at most `micro_batch` rows at a time."""
        self.micro_batch = micro_batch
        self._context, self._config, self._trained = context, config, trained
        self._capturing: _Capturing | None = None
        self.optimizer: torch.optim.Optimizer
        if context.graphs is None:
            self.optimizer = build_optimizer(context.model, trained, context.anatomy, config)
        else:
            capturable = CapturableAdamW(
                context.model,
                trained,
                context.anatomy,
                config,
                context.graphs.numbers,
                context.graphs.moments,
            )
            self.optimizer = capturable
            if context.device.type == "cuda":
                self._capturing = _Capturing(context, config, trained, capturable)

    def take(self, number: int, rate: float, rows: np.ndarray) -> torch.Tensor:
        """The step `number` at `rate`, on the batch of `rows`; gives its loss, still on the device.

        Raises:
            OutOfMemory: not even one row at a time fits, or the optimizer does not.
        """
        self._fill(rate, rows)
        if self._capturing is not None and largest_piece(self._context, rows, self.micro_batch) == len(rows):
            loss = self._capturing.take(rows)
            if loss is not None:
                return loss
        loss = self._gradients(number, rows)
        self._apply(number)
        return loss

    def _fill(self, rate: float, rows: np.ndarray) -> None:
        if self._context.graphs is None:
            set_rate(self.optimizer, rate)
            return
        self._context.graphs.numbers.fill(
            rates(self.optimizer, rate),
            self._config.weight_decay,
            step_weight(self._context, rows),
            self._config.task_values,
        )

    def _gradients(self, number: int, rows: np.ndarray) -> torch.Tensor:
        """Where memory is short, the batch is computed in smaller and smaller pieces."""
        before = self.micro_batch
        while (loss := self._try_gradients(rows)) is None:
            _drop_gradients(self._trained)
            if self._context.free_memory():
                continue
            if (tried := largest_piece(self._context, rows, self.micro_batch)) == 1:
                raise OutOfMemory(f"out of memory at step {number}, with one row at a time")
            self.micro_batch = tried // 2
        if self.micro_batch < before:
            print(f"Out of memory at step {number}: now {self.micro_batch} rows at a time.")
            self._context.sizes.remember(self._config, self.micro_batch)
        return loss

    def _try_gradients(self, rows: np.ndarray) -> torch.Tensor | None:
        """The step's loss, with the gradients in place; None if memory is short."""
        try:
            return add_gradients(self._context, rows, self.micro_batch, self._trained, self._config)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None

    def _apply(self, number: int) -> None:
        """Changes the weights. A step that breaks off half-way cannot be repeated, so it is not."""
        try:
            self.optimizer.step()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemory(f"out of memory in the optimizer at step {number}") from error
        # What follows each step, such as a moving average of the weights, would come here.
        _drop_gradients(self._trained)


class _Capturing:
    """A trial's way to the graphs of its model."""

    def __init__(
        self,
        context: TrialContext,
        config: FineTuneConfig,
        trained: Mapping[str, nn.Parameter],
        optimizer: CapturableAdamW,
    ) -> None:
        assert context.graphs is not None
        self._store = context.graphs
        self._context, self._config, self._trained, self._optimizer = context, config, trained, optimizer
        given = self._store.numbers.values
        self._key = (
            context.rows_key,  # with the depth it decides what is cut
            config.unfreeze_depth,
            config.dropout,
            config.max_grad_norm,
            config.precision,
            optimizer.shape,
            tuple(sorted((name, value) for name, value in config.task_values.items() if name not in given)),
        )
        self._often = _often(context, config)
        self._refused = self._key in self._store.refused

    def take(self, rows: np.ndarray) -> torch.Tensor | None:
        """The loss of the step, which is done; None where it has to run eagerly, and nothing has changed."""
        if self._refused or _shape(self._context, rows) not in self._often:
            return None
        try:
            batch = self._context.train.batch(rows, self._context.padding)
            captured = self._store.captured(self._key, batch, self._gradients, self._apply)
        except (RuntimeError, MemoryError) as error:
            first = error.__context__ or error  # what broke a capture, before what its end says
            _drop_gradients(self._trained)
            if self._context.free_memory() and is_out_of_memory(first):
                return self.take(rows)
            why = str(first).partition("\n")[0]
            print(f"This trial's steps are run eagerly, because they could not be captured: {why}")
            self._refused = True
            if not is_out_of_memory(first):  # the next such trial need not try
                self._store.refused[self._key] = why
            return None
        return captured.replay(batch)

    def _gradients(self, batch: Batch) -> torch.Tensor:
        return gradients_of(self._context, [batch], self._store.numbers.weight, self._trained, self._config)

    def _apply(self) -> None:
        self._optimizer.step()
        _drop_gradients(self._trained)


def _often(context: TrialContext, config: FineTuneConfig) -> Set[tuple[int, int]]:
    """The shapes that the trial has often enough, as far as its first epoch says."""
    draw = DRAWS[config.batching]
    epoch = draw(context.train.lengths, config.batch_size, config.seed, 0)
    counts = Counter(_shape(context, rows) for rows in epoch)
    often = max(OFTEN, OFTEN_A_PARAMETER * context.model.num_parameters())
    return {shape for shape, count in counts.items() if count * config.epochs >= often}


def _shape(context: TrialContext, rows: np.ndarray) -> tuple[int, int]:
    return len(rows), context.padding(int(context.train.padded_lengths[rows].max()))


def _drop_gradients(trained: Mapping[str, nn.Parameter]) -> None:
    for parameter in trained.values():
        parameter.grad = None
