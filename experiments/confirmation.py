"""What a confirmation is worth, on the recorded curves: regret of the choice after a simulated search.

    python experiments/confirmation.py [--json FILE] [--searches N] [--set NAME ...]

A search of TRIALS trials is simulated as in simulate.py. Its TOP best complete trials and the default are
then trained again on SEEDS fresh seeds each. Regret is the true score of the best configuration that is known
minus that of the one that is chosen:

- `score`: by the best score of the search, as without a confirmation;
- `fresh`: by the mean of the fresh seeds;
- `all`: by the mean of the fresh seeds and the search's own;
- `tied`: the cheapest of those that the best mean does not beat by more than noise (LEVEL, corrected for the
  number compared), with the rows' part of the noise as `significance.RHO` has it;
- `one_se`: the cheapest of those within one standard error of the best mean;
- `oracle`: the truly best of those compared.

Each with its standard error over the searches; `gain` is regret of `score` minus that of the choice, paired.
"""

import argparse
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from curves.table import read_facts
from scipy.stats import t
from simulate import DEVELOPED_ON, REPORTED_ON, make, recommended_on, surrogate, true_scores
from simulation.strategies import Autoft
from simulation.world import Trial, search

from autoft.study.significance import RHO

TRIALS, WORKERS = 40, 2
TOP, SEEDS = 3, 5
LEVEL = 0.95
CHOICES = ("score", "fresh", "all", "tied", "one_se", "oracle")


def one(set_name: str, seed: int) -> dict[str, float]:
    """The regret of each choice after one search, and what the confirmation cost as a share of the search."""
    model, facts = surrogate(set_name), read_facts(set_name.partition(":")[0])
    first = [recommended_on(set_name)]
    history = search(
        model,
        lambda clock: make("autoft", set_name, seed, first, WORKERS, clock),
        seed,
        WORKERS,
        np.inf,
        TRIALS,
    )
    complete = sorted((each.trial for each in history.ended if each.complete), key=lambda each: -each.score)
    compared = complete[:TOP] + [each for each in complete[TOP:] if each.number == 0]
    random = np.random.default_rng([seed, 1])
    fresh = np.array([[model.show(each.values, random).max() for _ in range(SEEDS)] for each in compared])
    own = np.array([each.score for each in compared])
    chosen = {
        "score": 0,
        "fresh": int(np.argmax(fresh.mean(axis=1))),
        "all": int(np.argmax((fresh.sum(axis=1) + own) / (SEEDS + 1))),
        "tied": cheapest(compared, fresh, facts["rows"]["validation"], LEVEL),
        "one_se": cheapest(compared, fresh, facts["rows"]["validation"], None),
        "oracle": int(np.argmax([each.truth for each in compared])),
    }
    cost = SEEDS * sum(each.seconds for each in compared) / history.ended[-1].spent_s
    best = max(true_scores(set_name))
    return {name: best - compared[place].truth for name, place in chosen.items()} | {"cost": cost}


def cheapest(compared: list[Trial], fresh: np.ndarray, rows: int, level: float | None) -> int:
    """The cheapest of those that are tied with the best mean; None: those within one standard error of it.

    `fresh` is [configurations, seeds].
    """
    means, of_seeds = fresh.mean(axis=1), fresh.var(axis=1, ddof=1) / SEEDS
    of_rows = means * (1 - means) / rows * (1 - RHO)
    best = int(np.argmax(means))
    tied = [best]
    for other in range(len(compared)):
        variance = of_seeds[best] + of_seeds[other] + of_rows[best] + of_rows[other]
        freedom = variance**2 / max(1e-30, (of_seeds[best] ** 2 + of_seeds[other] ** 2) / (SEEDS - 1))
        wide = 1.0
        if level is not None:
            corrected = 1 - (1 - level) / max(1, len(compared) - 1)
            wide = t.ppf((1 + corrected) / 2, min(freedom, 1e9))
        if means[best] - means[other] <= wide * np.sqrt(variance):
            tied.append(other)
    return min(tied, key=lambda place: compared[place].seconds)


def summarize(results: list[dict[str, float]]) -> dict[str, Any]:
    """Means over the searches with their standard errors."""
    table: dict[str, Any] = {"cost": round(float(np.mean([each["cost"] for each in results])), 2)}
    for name in CHOICES:
        regret = np.array([each[name] for each in results])
        gain = np.array([each["score"] - each[name] for each in results])
        table[name] = {
            what: [round(float(of.mean()), 4), round(float(of.std(ddof=1) / np.sqrt(len(of))), 4)]
            for what, of in (("regret", regret), ("gain", gain))
        }
    return table


def main() -> None:
    """Simulates, prints a line a set and choice, and writes the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--searches", type=int, default=100)
    parser.add_argument("--set", action="append", help="repeatable; default all")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    everything: list[dict[str, float]] = []
    with TemporaryDirectory(prefix="simulated-") as folder:
        Autoft.folder = Path(folder)
        for set_name in options.set or [*DEVELOPED_ON, *REPORTED_ON]:
            results = [one(set_name, seed) for seed in range(options.searches)]
            everything += results
            figures[set_name] = summarize(results)
            print(set_name, json.dumps(figures[set_name]), flush=True)
    figures["all sets"] = summarize(everything)
    print("all sets", json.dumps(figures["all sets"]))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    sys.exit(main())
