"""The training loop: from a configuration, step by step, to measurements.

A generator: whoever consumes it decides whether to go on, and closing it is how a trial is pruned.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from autoft.data.batch import train_batches
from autoft.errors import AutoftError
from autoft.kernel.blocks import Anatomy, trained_parameters
from autoft.kernel.checkpoint import CheckpointWriter
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.device import Precision, autocast
from autoft.kernel.feed import Batch, Feed
from autoft.kernel.freeze import evaluation_mode, training_mode
from autoft.kernel.initialise import derive_seed
from autoft.kernel.measurement import Measurement
from autoft.kernel.metrics import is_better
from autoft.kernel.optimiser import build_optimiser, learning_rate
from autoft.kernel.tasks.text_classification import TextClassification


class Diverged(AutoftError):  # noqa: N818 - the state of a trial, told as such in the study
    """The loss or the logits are no longer finite numbers."""

    def __init__(self, step: int, what: str) -> None:
        self.step = step
        super().__init__(
            f"{what} at step {step}; a lower learning_rate, more warmup or a max_grad_norm of 1 may help"
        )


@dataclass(frozen=True)
class Bench:
    """What one trial works on; the model is already frozen to the trial's depth."""

    model: PreTrainedModel
    anatomy: Anatomy
    forward: Callable[[Batch], torch.Tensor]
    """From a batch to logits [n, classes], through what of the model has to run."""
    task: TextClassification
    train: Feed
    validation: Feed
    device: torch.device
    checkpointed: Callable[[], Mapping[str, torch.Tensor]]
    """Gives the tensors, by name, that together with the pretrained weights are this trial's model."""


@dataclass(frozen=True)
class Plan:
    """A trial's steps, known before the first one."""

    steps_per_epoch: int
    steps: int
    measured_at: tuple[int, ...]
    """1-based steps after which there is a measurement; the last one is `steps`."""


def plan(train_rows: int, config: FineTuneConfig) -> Plan:
    """Measurements at steps ceil(k T / M), k = 1..M, where M is at most the number of steps T."""
    steps_per_epoch = math.ceil(train_rows / config.batch_size)
    steps = steps_per_epoch * config.epochs
    count = min(config.measurements, steps)
    return Plan(steps_per_epoch, steps, tuple(-(-k * steps // count) for k in range(1, count + 1)))


def run(
    bench: Bench, config: FineTuneConfig, checkpoint: Path, writer: CheckpointWriter, began_s: float
) -> Iterator[Measurement]:
    """Train, and yield a measurement at each planned step.

    Args:
        bench: changed in place: its model is trained.
        config: the trial.
        checkpoint: file to write whenever the objective improves; there at the last measurement.
        writer: writes it.
        began_s: `time.monotonic()` at the trial's begin.

    Raises:
        Diverged: a loss or a logit is NaN or infinite; found at the next measurement, with the step.
    """
    steps = plan(len(bench.train.lengths), config)
    trained = trained_parameters(bench.model, bench.anatomy, config.unfreeze_depth)
    optimiser = build_optimiser(bench.model, trained, config)
    parameters = list(trained.values())
    losses: list[torch.Tensor] = []
    torch.manual_seed(derive_seed(config.seed, 1))
    measured, best = 0, None
    training_mode(bench.model, bench.anatomy, config.unfreeze_depth)
    for step, rows in enumerate(_batches(bench.train.lengths, config), start=1):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, steps.steps, config)
        losses.append(_update(bench, rows, optimiser, parameters, config))
        if step != steps.measured_at[measured]:
            continue
        train_loss = _mean_loss(losses, step)
        losses.clear()
        metrics = evaluate(bench, config.precision)
        if math.isnan(metrics[config.objective]):
            raise Diverged(step, "the model's outputs are no longer finite")
        improved = is_better(config.objective, metrics[config.objective], best)
        if improved:
            best = metrics[config.objective]
            writer.save(bench.checkpointed(), checkpoint)
        measured += 1
        if measured == len(steps.measured_at):
            writer.finish()
        # Whoever uses random numbers before the next step changes nothing.
        random_states = _random_states(bench.device)
        yield Measurement(
            index=measured,
            fraction=measured / len(steps.measured_at),
            step=step,
            epoch=step / steps.steps_per_epoch,
            metrics={**metrics, "train_loss": train_loss},
            elapsed_s=time.monotonic() - began_s,
            checkpoint=checkpoint if improved else None,
        )
        _set_random_states(bench.device, random_states)
        training_mode(bench.model, bench.anatomy, config.unfreeze_depth)


def _random_states(device: torch.device) -> list[torch.Tensor]:
    """Of the generators that dropout draws from."""
    states = [torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states


def _set_random_states(device: torch.device, states: Sequence[torch.Tensor]) -> None:
    torch.set_rng_state(states[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)


def _batches(lengths: np.ndarray, config: FineTuneConfig) -> Iterator[np.ndarray]:
    for epoch in range(config.epochs):
        yield from train_batches(lengths, config.batch_size, config.seed, epoch)


def _update(
    bench: Bench,
    rows: np.ndarray,
    optimiser: torch.optim.Optimizer,
    trained: Sequence[nn.Parameter],
    config: FineTuneConfig,
) -> torch.Tensor:
    """One optimiser step; gives the loss, still on the device so that nothing waits for it."""
    batch = bench.train.batch(rows)
    with autocast(bench.device, config.precision):
        logits = bench.forward(batch)
        loss = bench.task.loss(logits, batch["labels"], config.label_smoothing)
    loss.backward()  # type: ignore[no-untyped-call]
    if config.max_grad_norm > 0:
        nn.utils.clip_grad_norm_(trained, config.max_grad_norm)
    optimiser.step()
    for parameter in trained:
        parameter.grad = None
    return loss.detach()


def _mean_loss(losses: Sequence[torch.Tensor], step: int) -> float:
    """Mean of the losses up to `step`, or Diverged with the first step that has none."""
    values = torch.stack(list(losses)).double().cpu()
    broken = torch.nonzero(~torch.isfinite(values))
    if len(broken):
        raise Diverged(step - len(values) + 1 + int(broken[0]), "the training loss is no longer finite")
    return float(values.mean())


@torch.no_grad()
def evaluate(bench: Bench, precision: Precision) -> dict[str, float]:
    """Every metric of the task on the validation split. Leaves the model in evaluation mode."""
    evaluation_mode(bench.model)
    batches = bench.validation.evaluation()
    outputs = []
    for rows, inputs in batches:
        batch = bench.validation.with_states(inputs, rows)
        with autocast(bench.device, precision):
            outputs.append(bench.forward(batch).float())
    logits = torch.cat(outputs).cpu().numpy()
    order = np.concatenate([rows for rows, _ in batches])
    return bench.task.metrics(logits, bench.validation.labels[order])
