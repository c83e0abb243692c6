"""The configuration to begin with: what an expert would type for such data and such a model.

It is trial 0 of every search, and what the winner is compared with. Where the constants come from is in
experiments/LOG.md.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from autoft.spec.hyperparameters import Common
from autoft.spec.nearest import nearest, trained_share
from autoft.spec.space import SearchSpace, Value

DEPTH, RATE = "unfreeze_depth", "learning_rate"
BATCH_SIZE = 16
STEPS, STEPS_OF_LABELS = 600, 200
"""Optimizer steps: max(STEPS, STEPS_OF_LABELS * sqrt(number of labels))."""
EPOCHS = (3, 20)
"""The fewest and the most, however many steps that makes."""
BASE_RATE, BASE_PARAMETERS = 5e-5, 110_000_000
"""The usual learning rate, and the size of the model for which it is usual, BERT-base."""
RATES = (1e-5, 5e-4)
HEAD_RATE = 3e-3
"""Where the head alone is trained, whatever the model's size; the most where any blocks are."""
SHARES = (1 / 6, 1 / 3, 2 / 3)
"""Of the blocks, from the top: what a search also tries early, at `shallow_learning_rate`. On most recorded
sets a third of the blocks is as good as all of them, at a fifth of the cost (experiments/LOG.md)."""
FITTED = (RATE, "batch_size", "epochs")
"""Hyperparameters whose recommended value differs from the kernel's own default."""


def recommended(
    rows: int, labels: int, parameters: int, share: float = 1.0, batch_size: int = BATCH_SIZE
) -> Mapping[str, Value]:
    """The values of the hyperparameters that depend on data and model, and the usual ones beside them.

    Args:
        rows: of the training split.
        labels: classes.
        parameters: of the model, its head included.
        share: of the blocks that are trained.
        batch_size: rows of a batch.

    >>> recommended(rows=2_000, labels=4, parameters=110_000_000)["epochs"]
    5
    """
    steps = max(STEPS, STEPS_OF_LABELS * math.sqrt(labels))
    epochs = math.ceil(steps * batch_size / rows)
    return {
        RATE: recommended_learning_rate(parameters, share),
        DEPTH: Common.unfreeze_depth,
        "dropout": Common.dropout,
        "weight_decay": Common.weight_decay,
        "batch_size": batch_size,
        "epochs": min(EPOCHS[1], max(EPOCHS[0], epochs)),
    }


def recommended_learning_rate(parameters: int, share: float = 1.0) -> float:
    """Smaller models and fewer trained blocks get a larger rate. Rounded to two significant digits.

    >>> [recommended_learning_rate(parameters) for parameters in (22_700_000, 110_000_000, 335_000_000)]
    [0.00016, 5e-05, 2.2e-05]
    >>> [recommended_learning_rate(22_700_000, share) for share in (1 / 3, 0.0)]
    [0.00048, 0.003]
    """
    if share == 0:
        return HEAD_RATE
    rate = BASE_RATE * (BASE_PARAMETERS / parameters) ** 0.75
    return shallow_learning_rate(float(f"{min(RATES[1], max(RATES[0], rate)):.1e}"), share)


def recommended_in(
    space: SearchSpace, rows: int, labels: int, parameters: int, blocks: int
) -> Mapping[str, Value]:
    """`recommended` for the depth and the batch size that `space` fixes, or that trial 0 has in it.

    Args:
        space: of the request.
        rows: of the training split.
        labels: classes.
        parameters: of the model, its head included.
        blocks: of the model.
    """
    usual = with_recommended(space, recommended(rows, labels, parameters))
    values = usual.resolve(nearest(usual, blocks))
    share = trained_share(values[DEPTH], blocks)
    return recommended(rows, labels, parameters, share, int(values["batch_size"]))


def share_depths(blocks: int) -> list[int]:
    """SHARES of so many blocks, from few to many, each once and none of them no block.

    >>> share_depths(6), share_depths(24), share_depths(2)
    ([1, 2, 4], [4, 8, 16], [1])
    """
    return list(dict.fromkeys(max(1, round(share * blocks)) for share in SHARES))


def shallow_learning_rate(rate: float, share: float) -> float:
    """The learning rate where `share` of the blocks is trained, if `rate` is right where all are.

    In inverse proportion, up to HEAD_RATE: MiniLM is best at about 1e-3 with one block of six, and at 5e-4
    with two (experiments/LOG.md).

    >>> shallow_learning_rate(1.6e-4, 1 / 3), shallow_learning_rate(5e-4, 1 / 12)
    (0.00048, 0.003)
    """
    return min(HEAD_RATE, float(f"{rate / share:.2g}"))


def with_recommended(space: SearchSpace, values: Mapping[str, Value]) -> SearchSpace:
    """`space` with these values as its defaults, for what it neither searches nor fixes."""
    return replace(space, defaults={**space.defaults, **values})
