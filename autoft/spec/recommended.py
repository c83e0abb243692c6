"""The configuration to begin with: what an expert would type for so many rows and labels and such a model.

It is trial 0 of every search, and what a winner is compared with. How it was found is in experiments/LOG.md.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from autoft.spec.space import SearchSpace, Value

STEPS = 600
"""Updates after which a fine-tuning of this batch size has mostly learned what it can."""
EPOCHS = (3, 20)
BATCH_SIZE = 16
BASE_RATE, BASE_PARAMETERS = 5e-5, 110_000_000
"""The usual learning rate, and the size of the model (BERT-base) for which it is usual."""


def recommended(rows: int, parameters: int) -> Mapping[str, Value]:
    """The values of the hyperparameters that depend on the data and the model; the others have their default.

    Args:
        rows: of the training split.
        parameters: of the model, its head included.

    >>> recommended(rows=2_000, parameters=110_000_000)["epochs"]
    5
    """
    few, many = EPOCHS
    return {
        "learning_rate": learning_rate(parameters),
        "unfreeze_depth": "all",
        "dropout": 0.1,
        "weight_decay": 0.01,
        "batch_size": BATCH_SIZE,
        "epochs": min(many, max(few, math.ceil(STEPS * BATCH_SIZE / rows))),
    }


def with_recommended(space: SearchSpace, values: Mapping[str, Value]) -> SearchSpace:
    """`space` with these values for what it neither searches nor fixes."""
    return replace(space, defaults={**space.defaults, **values})


def learning_rate(parameters: int) -> float:
    """Small models take larger steps. Two significant digits."""
    rate = BASE_RATE * math.sqrt(BASE_PARAMETERS / parameters)
    return float(f"{rate:.1e}")
