"""A trial under way: its state, how a step and a measurement change it, and how its state is saved."""

import math
import os
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import torch

from autoft.errors import AutoftError
from autoft.kernel.blocks import trained_parameters
from autoft.kernel.checkpoint import MEASURED_KEY, CheckpointWriter
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.early_stopping import out_of_patience
from autoft.kernel.freeze import trained_statistics, training_mode
from autoft.kernel.initialize import derive_seed
from autoft.kernel.measurement import Measurement
from autoft.kernel.optimizer import learning_rate
from autoft.kernel.resume import Resume
from autoft.kernel.resume_state import ResumeState, header, read_resume_state, restore, state_of
from autoft.kernel.step import Step
from autoft.kernel.steps import Plan
from autoft.kernel.trial_context import TrialContext, evaluate

GROWTH = 10.0
"""A trial has diverged when its training loss exceeds this multiple of max(first measured loss, loss of
random guessing)."""


class Diverged(AutoftError):  # noqa: N818 - the state of a trial, told as such in the study
    """The loss or the outputs are no longer finite numbers, or the loss has grown without measure."""

    def __init__(self, step: int, what: str) -> None:
        self.step = step
        super().__init__(
            f"{what} at step {step}; a lower learning_rate, more warmup or a max_grad_norm of 1 may help"
        )


class Trial:
    """A trial under way."""

    def __init__(
        self,
        context: TrialContext,
        config: FineTuneConfig,
        steps: Plan,
        checkpoint: Path,
        writer: CheckpointWriter,
        began_s: float,
        resume: Resume | None,
    ) -> None:
        self.context, self.config, self.steps = context, config, steps
        self.checkpoint, self.writer, self.resume = checkpoint, writer, resume
        self.step = 0
        self.measurements: list[Measurement] = []
        self._began_s = began_s
        self._trained = trained_parameters(context.model, context.anatomy, config.unfreeze_depth)
        statistics = trained_statistics(context.model, context.anatomy, config.unfreeze_depth)
        self._live: dict[str, torch.Tensor] = {**self._trained, **statistics}
        self._most_rows = (resume and resume.micro_batch) or config.batch_size
        micro_batch = min(self._most_rows, context.sizes.of(config))
        self._steps = Step(context, config, self._trained, micro_batch)
        self._losses: list[torch.Tensor] = []
        self._kept_step = 0
        self._training_s = 0.0
        self._took_up_s: float | None = None
        self._last_save: Future[None] = Future()
        self._last_save.set_result(None)
        torch.manual_seed(derive_seed(config.seed, 1))
        self._random_states = _random_states(context.device)

    def restore_state(self) -> None:
        """Restores the state that an earlier attempt has saved, if one can be used."""
        for path in self.resume.earlier if self.resume else ():
            shapes = {f"live:{name}": tensor.shape for name, tensor in self._live.items()}
            saved, why = read_resume_state(self._held(path), self.config, self.context.rows_key, shapes)
            if saved is None:
                print(f"No state to go on from in {path.name}: {why}.")
                continue
            self._random_states, self._losses = restore(saved, self._live, self._steps.optimizer)
            self.step = self._kept_step = saved.step
            self.measurements = saved.measurements
            self._steps.micro_batch = min(self._most_rows, saved.micro_batch or self.config.batch_size)
            self._began_s -= saved.elapsed_s
            print(f"The trial goes on from step {self.step}.")
            return

    def _held(self, path: Path) -> Path:
        """A second name for an earlier attempt's file: its worker, should it live on, leaves it alone."""
        assert self.resume is not None
        self.resume.path.unlink(missing_ok=True)
        try:
            os.link(path, self.resume.path)
        except OSError:  # there is none, or the disk has no such links: then nothing is written over either
            return path
        return self.resume.path

    def enter_training(self) -> None:
        """Called before the next step: restores the random states, which other code may have changed."""
        _set_random_states(self.context.device, self._random_states)
        training_mode(self.context.model, self.context.anatomy, self.config.unfreeze_depth)
        self._took_up_s = time.monotonic()

    def leave_training(self) -> None:
        """Called before yielding: saves the random states and, where the plan says so, the resume state."""
        self._count_training()
        self._random_states = _random_states(self.context.device)
        if self.is_over:
            self.writer.finish()
        self.save_state_if_due()

    def save_state_if_due(self) -> None:
        """Writes the resume state where it is planned, unless the last one is still being written."""
        if self.step in self.steps.saved_at and self._last_save.done():
            self.save_state()

    def _count_training(self) -> None:
        if self._took_up_s is not None:
            self._training_s += time.monotonic() - self._took_up_s
            self._took_up_s = None

    @property
    def is_due(self) -> bool:
        """Whether there is a measurement after this step."""
        return self.step == self.steps.measured_at[len(self.measurements)]

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return bool(self.measurements) and self.measurements[-1].last

    def save_state(self) -> None:
        """Writes the resume state, unless it is written already or not wanted."""
        if self.resume is None or self._kept_step == self.step or self.is_over:
            return
        tensors = state_of(self._live, self._steps.optimizer, self._random_states, self._losses)
        saved = ResumeState(self.step, self.measurements, self._elapsed_s, self._told_micro_batch, tensors)
        self._last_save = self.writer.save(
            tensors, self.resume.path, header(saved, self.config, self.context.rows_key)
        )
        self._kept_step = self.step

    def update(self, rows: np.ndarray) -> None:
        """One optimizer step. Nothing waits for it: its loss is read at the next measurement."""
        self.step += 1
        rate = learning_rate(self.step, self.steps.steps, self.config)
        self._losses.append(self._steps.take(self.step, rate, rows))

    def measure(self) -> Measurement:
        """Evaluates the model in its current state, and saves it if it is the best so far.

        The measurement is the last one at the last step, and where early stopping ends the trial.
        """
        config, step = self.config, self.step
        train_loss = _mean_loss(self._losses, step)
        self._losses = []
        self._refuse_growth(train_loss)
        self._count_training()  # after the loss is read: until then a GPU may still compute
        training_s, self._training_s = self._training_s, 0.0
        evaluated_s = time.monotonic()
        # The weights as they are trained. Others, such as an average, would stand in their place until the
        # checkpoint is saved, so that it holds what was evaluated.
        metrics, error = evaluate(self.context, config)
        evaluation_s = time.monotonic() - evaluated_s
        value = metrics[config.objective]
        if math.isnan(value):
            raise Diverged(step, "the model's outputs are no longer finite")
        index, count = len(self.measurements) + 1, len(self.steps.measured_at)
        best = self._best
        improved = self.context.task.spec.metrics[config.objective].is_better(
            value, best.metrics[config.objective] if best else None
        )
        if improved:
            self.writer.save(self.context.checkpointed(), self.checkpoint, {MEASURED_KEY: str(index)})
        since_best = index - best.index if best and not improved else 0
        measurement = Measurement(
            index=index,
            fraction=index / count,
            step=step,
            epoch=step / self.steps.steps_per_epoch,
            metrics={**metrics, "train_loss": train_loss},
            elapsed_s=self._elapsed_s,
            checkpoint=self.checkpoint if improved else None,
            micro_batch=self._told_micro_batch,
            training_s=training_s,
            evaluation_s=evaluation_s,
            error=error,
            last=index == count or out_of_patience(since_best, count, config),
        )
        self.measurements.append(measurement)
        if self._most_rows < self.config.batch_size:  # an earlier attempt was ended for more, and these fit
            self.context.sizes.remember(self.config, self._steps.micro_batch)
        return measurement

    def refuse_broken_losses(self) -> None:
        """Between two measurements: raises what the next one would raise, whatever the losses until then.

        So it does not depend on when it is asked whether a trial fails. No loss is negative.
        """
        mean = _mean_loss(self._losses, self.step)
        last = self.measurements[-1].step if self.measurements else 0
        steps = self.steps.measured_at[len(self.measurements)] - last
        self._refuse_growth(mean * len(self._losses) / steps)

    def _refuse_growth(self, train_loss: float) -> None:
        start = self.context.task.guess_loss(self.context.targets)
        if self.measurements:
            start = max(start, self.measurements[0].metrics["train_loss"])
        if train_loss > GROWTH * start:
            raise Diverged(self.step, f"the training loss has grown from {start:.3g} to {train_loss:.3g}")

    @property
    def _best(self) -> Measurement | None:
        return next((one for one in reversed(self.measurements) if one.checkpoint), None)

    @property
    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    @property
    def _told_micro_batch(self) -> int | None:
        micro_batch = self._steps.micro_batch
        return micro_batch if micro_batch < self.config.batch_size else None


def _random_states(device: torch.device) -> list[torch.Tensor]:
    """Of the generators that dropout draws from."""
    states = [torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states


def _set_random_states(device: torch.device, states: Sequence[torch.Tensor]) -> None:
    torch.set_rng_state(states[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)


def _mean_loss(losses: Sequence[torch.Tensor], step: int) -> float:
    """Mean of the losses up to `step`, or Diverged with the first step that has none."""
    values = torch.stack(list(losses)).double().cpu()
    broken = torch.nonzero(~torch.isfinite(values))
    if len(broken):
        raise Diverged(step - len(values) + 1 + int(broken[0]), "the training loss is no longer finite")
    return float(values.mean())
