"""The configurations whose curves are recorded, the same on every set."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy.stats import qmc

from autoft.spec.recommended import recommended

LEARNING_RATE = (1e-5, 3e-3)
"""Log scale."""
DEPTHS = (0, 1, 2, 4, "all")
DROPOUT = (0.0, 0.4)
WEIGHT_DECAY = (1e-4, 0.3)
"""Log scale."""
BATCH_SIZES = (8, 16, 32, 64)
EPOCHS = (2, 18)
"""Log scale: from short to three times the default of 6."""

USUAL = {
    "learning_rate": 5e-5,
    "unfreeze_depth": "all",
    "dropout": 0.1,
    "weight_decay": 0.01,
    "batch_size": 16,
}
"""What one would type without a search."""
LANDMARKS = (
    {**USUAL, "epochs": 6},
    {**USUAL, "learning_rate": 2e-4, "epochs": 10},
)
CANDIDATES = (
    {**USUAL, "learning_rate": 1e-3, "unfreeze_depth": 1, "epochs": 12},
    {**USUAL, "learning_rate": 5e-4, "unfreeze_depth": 2, "epochs": 12},
)
"""What the first half of the table told to be good and cheap; recorded beside the recommended configuration,
which differs from set to set and has the number `RECOMMENDED`."""
PARAMETERS = 22_713_600
"""Of MiniLM, on which the curves are recorded."""
COUNT = 100
RECOMMENDED = COUNT + len(CANDIDATES)
SEEDS = 3
"""Of the candidates and the recommended configuration."""
REPEATED = 16
"""The first so many configurations are recorded with three seeds."""


def configurations() -> list[dict[str, Any]]:
    """The landmarks, then a scrambled Sobol sequence over the space, 100 in all; then the candidates."""
    points = qmc.Sobol(6, seed=13).random(128)[: COUNT - len(LANDMARKS)]
    return [*map(dict, LANDMARKS), *(_configuration(point) for point in points), *map(dict, CANDIDATES)]


def recommended_on(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The recommended configuration on the set of these facts, for MiniLM."""
    return dict(recommended(facts["rows"]["train"], facts["labels"], PARAMETERS))


def jobs() -> Iterator[tuple[int, int]]:
    """(configuration, seed) in the order of recording: after the candidates any beginning can be used."""
    yield from ((number, seed) for seed in range(SEEDS) for number in range(COUNT, RECOMMENDED + 1))
    yield from ((number, 0) for number in range(30))
    yield from ((number, 1) for number in range(REPEATED))
    yield from ((number, 0) for number in range(30, COUNT))
    yield from ((number, 2) for number in range(REPEATED))


def _configuration(point: np.ndarray) -> dict[str, Any]:
    return {
        "learning_rate": float(_log(LEARNING_RATE, point[0])),
        "unfreeze_depth": DEPTHS[int(point[1] * len(DEPTHS))],
        "dropout": float(DROPOUT[0] + (DROPOUT[1] - DROPOUT[0]) * point[2]),
        "weight_decay": float(_log(WEIGHT_DECAY, point[3])),
        "batch_size": BATCH_SIZES[int(point[4] * len(BATCH_SIZES))],
        "epochs": round(float(_log(EPOCHS, point[5]))),
    }


def _log(ends: tuple[float, float], place: float) -> float:
    return float(np.exp(np.log(ends[0]) + np.log(ends[1] / ends[0]) * place))
