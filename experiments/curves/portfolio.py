"""Chooses a portfolio: a few configurations that together cover the recorded sets best.

    python -m curves.portfolio [--without SET]

Greedy: the next configuration is the one that lowers most, for what it costs, the mean over the sets of the
regret of the best chosen one, in units of the set's spread of scores. Candidates are relative to the
recommended configuration, as `autoft.study.start.Point` is.
"""

import argparse
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.stats import qmc

from autoft.spec.recommended import recommended
from autoft.study.start import Point
from curves.configurations import BATCH_SIZES, DEPTHS, DROPOUT, EPOCHS, LEARNING_RATE, WEIGHT_DECAY
from curves.sets import SETS
from curves.table import Surrogate, Values, read_facts, read_runs

BLOCKS = 6
PARAMETERS = 22_713_600
"""Of MiniLM, on which the curves were recorded."""
CANDIDATES = 2048
SIZE = 10
RATE, EPOCHS_RATIO = (0.1, 20.0), (0.25, 2.0)
"""Log scales, over the recommended ones."""


def candidates() -> list[Point]:
    """Points that cover the space evenly, with two significant digits."""
    points = qmc.Sobol(6, seed=7).random(CANDIDATES)
    shares = [depth if depth == "all" else int(depth) / BLOCKS for depth in DEPTHS]
    return [
        Point(
            rate=_log(RATE, p[0]),
            depth=shares[int(p[1] * len(shares))],
            dropout=round(float(DROPOUT[1] * p[2]), 2),
            weight_decay=_log(WEIGHT_DECAY, p[3]),
            batch_size=BATCH_SIZES[int(p[4] * len(BATCH_SIZES))],
            epochs=_log(EPOCHS_RATIO, p[5]),
        )
        for p in points
    ]


def values_of(point: Point, usual: Values) -> dict[str, object]:
    """The point's configuration on a set, moved into the ranges that were recorded."""

    def within(value: float, ends: tuple[float, float]) -> float:
        return min(ends[1], max(ends[0], value))

    return {
        "learning_rate": within(float(usual["learning_rate"]) * point.rate, LEARNING_RATE),
        "unfreeze_depth": "all" if point.depth == "all" else round(point.depth * BLOCKS),
        "dropout": point.dropout,
        "weight_decay": point.weight_decay,
        "batch_size": point.batch_size,
        "epochs": int(within(round(float(usual["epochs"]) * point.epochs), EPOCHS)),
    }


def usual_on(name: str) -> dict[str, object]:
    """The recommended configuration on a set."""
    usual = dict(recommended(read_facts(name)["rows"]["train"], PARAMETERS))
    return {**usual, "epochs": int(min(EPOCHS[1], max(EPOCHS[0], int(usual["epochs"]))))}


@lru_cache
def scores(name: str) -> tuple[np.ndarray, float, np.ndarray]:
    """True scores of all candidates on a set [n], and of the recommended configuration, in spreads; costs [n].

    A cost is the seconds of a trial, over their mean.
    """
    model = Surrogate(name, read_runs(name))
    usual = usual_on(name)
    truths = np.array([model.truth(values_of(point, usual)) for point in candidates()])
    spread = float(truths.std())
    seconds = np.array([model.seconds(values_of(point, usual)) for point in candidates()])
    return truths / spread, model.truth(usual) / spread, seconds / seconds.mean()


def choose(names: Sequence[str], size: int = SIZE) -> list[Point]:
    """The greedy portfolio of these sets, begun with the recommended configuration, which is not in it."""
    table, costs = (np.stack([scores(name)[part] for name in names]) for part in (0, 2))
    best = np.array([float(scores(name)[1]) for name in names])
    chosen: list[int] = []
    for _ in range(size):
        gained = np.maximum(table - best[:, None], 0.0).mean(axis=0)
        chosen.append(int(np.argmax(gained / costs.mean(axis=0))))
        best = np.maximum(best, table[:, chosen[-1]])
    return [candidates()[index] for index in chosen]


def _log(ends: tuple[float, float], at: float) -> float:
    return float(f"{ends[0] * (ends[1] / ends[0]) ** at:.2g}")


def main() -> None:
    """Prints the portfolio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--without", default="", help="a set that is left out")
    parser.add_argument("--size", type=int, default=SIZE)
    options = parser.parse_args()
    for point in choose([each.name for each in SETS if each.name != options.without], options.size):
        print(f"    {point},")


if __name__ == "__main__":
    main()
