"""Early stopping: a trial ends when its objective has not improved for a while, its patience.

After "Deep Learning" (Goodfellow, Bengio and Courville, 2016), algorithm 7.1. It has no state of its own: the
trial's measurements say all, and they are in its resume state.
"""

from autoft.kernel.config import FineTuneConfig


def out_of_patience(since_best: int, measurements: int, config: FineTuneConfig) -> bool:
    """Whether the trial ends, because its objective has not improved for `early_stopping` epochs.

    It can end at a measurement only, so the patience is rounded up to whole measurements. How far these are
    apart is taken as planned, not as rounded to whole steps, so that it is the same all along the trial.

    Args:
        since_best: measurements since the best one; 0 if the current one is the best.
        measurements: how many a whole trial has.
        config: the trial's.
    """
    # A quotient is rounded to the same float as the fraction that a user writes; a product may not be.
    return 0 < config.early_stopping <= since_best * config.epochs / measurements
