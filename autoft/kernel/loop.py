"""The training loop: from a configuration, step by step, to measurements.

A generator: its consumer decides whether to continue, and prunes a trial by closing it.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from autoft.kernel.checkpoint import CheckpointWriter
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.measurement import Measurement
from autoft.kernel.resume import Resume
from autoft.kernel.steps import batches, plan
from autoft.kernel.trial import Trial
from autoft.kernel.trial_context import TrialContext

TICK_S = 1.0
"""How often a trial whose state is saved can be closed between two measurements."""


def run(
    context: TrialContext,
    config: FineTuneConfig,
    checkpoint: Path,
    writer: CheckpointWriter,
    began_s: float,
    resume: Resume | None = None,
) -> Iterator[Measurement | None]:
    """Train, and yield a measurement at each planned step, until the last step or an early stop.

    With `resume`, yields None about every TICK_S in between, so that the consumer can close it there; then
    the trial's state is saved.

    Args:
        context: changed in place: its model is trained.
        config: the trial.
        checkpoint: file to write whenever the objective improves; there at the last measurement.
        writer: writes it.
        began_s: `time.monotonic()` at the trial's begin.
        resume: the files of its resume state; None saves none.

    Raises:
        Diverged: the loss or an output is NaN or infinite, or the loss has grown without measure; found at
            the next measurement, with `resume` within TICK_S of when it is sure.
        OutOfMemory: not even one row at a time fits.
    """
    steps = plan(len(context.train.lengths), config)
    trial = Trial(context, config, steps, checkpoint, writer, began_s, resume)
    trial.restore_state()
    yield from trial.measurements[resume.measured if resume else 0 :]
    trial.enter_training()
    said_s = time.monotonic()
    for rows in batches(context.train.lengths, config, trial.step):
        trial.update(rows)
        measurement = trial.measure() if trial.is_due else None
        soon = time.monotonic() - said_s < TICK_S and trial.step not in steps.saved_at
        if measurement is None and (resume is None or soon):
            continue
        if measurement is None:
            trial.refuse_broken_losses()
        trial.leave_training()
        try:
            yield measurement
        except GeneratorExit:
            trial.save_state()
            raise
        if trial.is_over:  # by early stopping there are steps left
            return
        trial.enter_training()
        said_s = time.monotonic()
