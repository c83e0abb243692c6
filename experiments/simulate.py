"""Compares search strategies on the recorded curves, on virtual time.

    python experiments/simulate.py [--json FILE] [--seeds N] [--set NAME ...] [--strategy NAME ...]

The reference is Optuna's TPE without pruning, begun with the same first trial, after 40 full trials: the mean
over the seeds of its winner's true score. For each set and strategy:

- `trial_seconds_to_reference`: trial seconds until the same mean has reached the reference and stays there,
  over those that the reference took; null where that does not happen;
- `never`: the share of searches whose winner is below the reference at the end;
- `regret_at`: the mean distance to the best configuration at the cost of 10, 20 and 40 full trials;
- `worse_than_default`: the share of searches whose winner, at the cost of 40 full trials, is worse than the
  better of the recommended configuration and the usual values by more than 0.005;
- `longest_burst`: the longest run of trials at a depth that is not the winner's;
- `bought_nothing`: the share of trial seconds in trials that never led.

`before` is autoft as it was before anything of this was measured. `autoft-PART` is autoft without one of its
parts: without fewer trained blocks at the start, without a recommended start at all, with random parameters
instead of the sampler's, with trials given to the sampler as Optuna has them, without stopping trials.
`--strategy autoft-learned` is autoft with `learn_from`: its own searches on the other sets of the same
objective. Nothing else is scored by accuracy, so on the hard set that is autoft itself.

Strategies are chosen on quickstart, sms_spam and the first half of the hard set's configurations; the others
are there to report. One choice was not: fewer trained blocks at the start was read off all five sets.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import optuna
from curves.configurations import COUNT, EPOCHS, LANDMARKS, USUAL, configurations
from curves.configurations import recommended_on as configuration_on
from curves.table import Surrogate, Values, read_facts, read_runs
from scipy.stats import rankdata
from simulation.strategies import Autoft, OneEpochThenBest, Optuna, RayAsha, space, suggest
from simulation.world import History, Strategy, search
from threadpoolctl import threadpool_limits

from autoft.spec.recommended import with_recommended
from autoft.spec.space import SearchSpace
from autoft.study.learn import lesson_of
from autoft.study.lessons import Lesson
from autoft.study.likeness import Likeness
from autoft.study.start import plan_start

WORKERS = 2
LIMIT = 50
"""Full trials' cost at which a simulated search ends."""
REFERENCE_TRIALS = 40
AT = (10, 20, 40)
TOLERANCE = 0.005
DEVELOPED_ON = ("quickstart", "sms_spam", "hard:first")
REPORTED_ON = ("banking77_10shot", "clinc_domains", "hard:second")
BLOCKS = 6
"""Of MiniLM, on which the curves were recorded."""
DEFAULT: Values = {**USUAL, "epochs": 6}
"""The usual values, at autoft's old epochs."""
WORDS = {
    ("quickstart", "banking77_10shot"): 0.74,
    ("quickstart", "clinc_domains"): 0.74,
    ("quickstart", "sms_spam"): 0.71,
    ("banking77_10shot", "clinc_domains"): 0.87,
    ("banking77_10shot", "sms_spam"): 0.67,
    ("clinc_domains", "sms_spam"): 0.76,
}
"""`Likeness.words` of the training rows (`curves/sets.py`) of two sets with the same objective. They share
hardly a label."""


@lru_cache
def recommended_on(set_name: str) -> Values:
    """The recommended configuration on a set, with epochs within the space."""
    values = configuration_on(read_facts(set_name.partition(":")[0]))
    return {**values, "epochs": min(EPOCHS[1], max(EPOCHS[0], int(values["epochs"])))}


@lru_cache
def surrogate(name: str) -> Surrogate:
    """Of a set; `hard:first` and `hard:second` are from halves of its drawn configurations."""
    base, _, half = name.partition(":")
    runs = read_runs(base)
    if half:
        drawn = range(len(LANDMARKS), COUNT)
        runs = [
            run
            for run in runs
            if run.configuration not in drawn or (run.configuration % 2 == 0) == (half == "first")
        ]
    return Surrogate(name, runs)


def lessons_on(set_name: str, seed: int, space: SearchSpace) -> list[Lesson]:
    """What autoft's searches on the other sets have left, each at the cost of REFERENCE_TRIALS trials."""
    lessons = []
    for pair, words in WORDS.items():
        if set_name not in pair:
            continue
        earlier = pair[1 - pair.index(set_name)]
        study = autoft_study(earlier, seed)
        few, many = sorted(read_facts(name)["rows"]["train"] for name in pair)
        alike = Likeness(model=1.0, labels=0.0, words=words, size=(few / many) ** 0.25)
        lessons.append(lesson_of(study, space, alike))
    return sorted(lessons, key=lambda lesson: -lesson.likeness.value)


@lru_cache
def autoft_study(set_name: str, seed: int) -> optuna.Study:
    """The study of a whole search by autoft."""
    made: list[Autoft] = []

    def begin(clock: Callable[[], float]) -> Autoft:
        made.append(autoft(set_name, seed, WORKERS, clock))
        return made[0]

    search(surrogate(set_name), begin, seed, WORKERS, REFERENCE_TRIALS * full_trial_s(set_name))
    return made[0].study


def autoft(
    set_name: str,
    seed: int,
    workers: int,
    clock: Callable[[], float],
    *,
    shallow: bool = True,
    learned: bool = False,
    evidence: bool = True,
    **method: Any,
) -> Autoft:
    """autoft's own study; `method` is its `search` section, the seed left out."""
    facts = read_facts(set_name.partition(":")[0])
    spec = space(facts["objective"], 100_000, seed, method)
    spec = replace(spec, space=with_recommended(spec.space, recommended_on(set_name)))
    lessons = lessons_on(set_name, seed, spec.space) if learned else []
    start = plan_start(spec, BLOCKS, lessons)
    if start is not None and not shallow:
        start = replace(start, shallow=())
    return Autoft(spec, start, lessons, workers, clock, facts["rows"]["validation"], evidence)


def make(
    name: str, set_name: str, seed: int, first: list[Values], workers: int, clock: Callable[[], float]
) -> Strategy:
    """A strategy by name."""
    tpe, random = optuna.samplers.TPESampler(seed=seed), optuna.samplers.RandomSampler(seed=seed)
    never, median = optuna.pruners.NopPruner(), optuna.pruners.MedianPruner()
    # What autoft had before it was measured: its sampler's options, halving from the first measurement.
    joint = optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)
    at_once = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)
    own = partial(autoft, set_name, seed, workers, clock)
    makers: dict[str, Callable[[], Strategy]] = {
        "random": lambda: Optuna(random, never, first),
        "tpe": lambda: Optuna(tpe, never, first),
        "tpe-median": lambda: Optuna(tpe, median, first),
        "random-asha": lambda: RayAsha(seed, first),
        "one-epoch": lambda: OneEpochThenBest(seed, first),
        "before": lambda: Optuna(joint, at_once, first),
        "autoft": own,
        "autoft-shallow": lambda: own(shallow=False),
        "autoft-start": lambda: own(start="random"),
        "autoft-sampler": lambda: own(sampler="random"),
        "autoft-evidence": lambda: own(evidence=False),
        "autoft-pruner": lambda: own(pruner="none"),
        "autoft-learned": lambda: own(learned=True),
    }
    return makers[name]()


PEERS = ("random", "tpe", "tpe-median", "random-asha", "one-epoch", "before")
WITHOUT = ("autoft-shallow", "autoft-start", "autoft-sampler", "autoft-evidence", "autoft-pruner")
NAMES = (*PEERS, "autoft", *WITHOUT)


def reference(set_name: str, workers: int, seed: int) -> tuple[float, float]:
    """Trial seconds and the winner's true score of Optuna's TPE after REFERENCE_TRIALS trials."""
    history = search(
        surrogate(set_name),
        lambda clock: make("tpe", set_name, seed, [recommended_on(set_name)], workers, clock),
        seed,
        workers,
        np.inf,
        REFERENCE_TRIALS,
    )
    return history.ended[-1].spent_s, history.incumbents[-1][1]


def one(set_name: str, name: str, first: list[Values], workers: int, seed: int) -> dict[str, Any]:
    """One simulated search, in numbers."""
    model = surrogate(set_name)
    unit = full_trial_s(set_name)
    history = search(
        model,
        lambda clock: make(name, set_name, seed, first, workers, clock),
        seed,
        workers,
        LIMIT * unit,
    )
    at = np.linspace(0, LIMIT, 501)
    return {
        "truth": history.truth_at(at * unit),
        **_waste(history),
    }


def _waste(history: History) -> dict[str, float]:
    winner = max((e.trial for e in history.ended if e.complete), key=lambda t: t.score, default=None)
    order = [history.trials[number].values["unfreeze_depth"] for number in sorted(history.trials)]
    longest = run = 0
    for before, depth in zip([None, *order], order, strict=False):
        lost = winner is not None and depth != winner.values["unfreeze_depth"]
        run = (run + 1 if depth == before else 1) if lost else 0
        longest = max(longest, run)
    led, best = set(), -np.inf
    spent_s: dict[int, float] = {}  # of each trial; one that was paused has ended twice
    for ended in history.ended:
        number = ended.trial.number
        if ended.complete and ended.trial.score > best:
            best = ended.trial.score
            led.add(number)
        spent_s[number] = max(ended.share * ended.trial.seconds, spent_s.get(number, 0.0))
    useful = sum(spent_s[number] for number in led)
    return {
        "longest_burst": float(longest),
        "bought_nothing": 1 - useful / max(sum(spent_s.values()), 1e-9),
        "trials": len(order),
    }


@lru_cache
def full_trial_s(set_name: str) -> float:
    """Mean seconds of a random configuration's whole trial."""
    random = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    return float(np.mean([surrogate(set_name).seconds(suggest(random.ask())) for _ in range(300)]))


@lru_cache
def true_scores(set_name: str) -> list[float]:
    """Of 2,000 random configurations and the recorded ones."""
    random = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=2))
    tried = [*configurations()[:COUNT], *(suggest(random.ask()) for _ in range(2000))]
    return [surrogate(set_name).truth(values) for values in tried]


def summarize(
    set_name: str, results: dict[str, list[dict[str, Any]]], references: list[tuple[float, float]]
) -> dict[str, Any]:
    """Figures of every strategy on a set."""
    unit = full_trial_s(set_name)
    at = np.linspace(0, LIMIT, 501)
    took, goal = np.mean(references, axis=0)
    took /= unit
    floor = max(surrogate(set_name).truth(DEFAULT), surrogate(set_name).truth(recommended_on(set_name)))
    best, worst = max(true_scores(set_name)), min(true_scores(set_name))  # worst: before there is a winner
    table = {}
    for name, own in results.items():
        truths = np.stack([np.nan_to_num(each["truth"], nan=worst) for each in own])
        mean = truths.mean(axis=0)
        above = mean >= goal - 1e-12
        stays = np.flip(np.logical_and.accumulate(np.flip(above)))
        crossed = float(at[np.argmax(stays)]) if stays[-1] else None
        final = truths[:, int(AT[-1] * 10)]
        table[name] = {
            "trial_seconds_to_reference": None if crossed is None else round(crossed / took, 3),
            "never": round(float(np.mean(truths[:, -1] < goal)), 3),
            "regret_at": {str(k): round(best - float(mean[10 * k]), 4) for k in AT},
            "error_at": {str(k): round(float(truths[:, 10 * k].std() / np.sqrt(len(own))), 4) for k in AT},
            "worse_than_default": round(float(np.mean(final < floor - TOLERANCE)), 3),
            "longest_burst": round(float(np.mean([each["longest_burst"] for each in own])), 2),
            "bought_nothing": round(float(np.mean([each["bought_nothing"] for each in own])), 3),
            "trials": round(float(np.mean([each["trials"] for each in own])), 1),
        }
    return table


def mean_ranks(figures: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Of each strategy among all, 1 is best: by regret at each cost, the mean over the sets."""
    names = list(next(iter(figures.values())))
    ranks = {
        str(k): np.mean(
            [rankdata([own[name]["regret_at"][str(k)] for name in names]) for own in figures.values()], axis=0
        )
        for k in AT
    }
    return {name: {k: round(float(own[i]), 2) for k, own in ranks.items()} for i, name in enumerate(names)}


def _start(folder: Path) -> None:
    """In a process of the pool. The sums are small: more threads would only wait for each other."""
    threadpool_limits(1)
    Autoft.folder = folder / str(os.getpid())
    Autoft.folder.mkdir()


def main() -> None:
    """Simulates, prints a table a set, and writes the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--set", action="append", help="repeatable; default all")
    parser.add_argument("--strategy", action="append", help="repeatable; default all")
    parser.add_argument("--workers", type=int, default=WORKERS, help="of a simulated search")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--no-first", action="store_true", help="peers begin at random, not with the default")
    options = parser.parse_args()
    sets, names = options.set or [*DEVELOPED_ON, *REPORTED_ON], options.strategy or list(NAMES)
    figures: dict[str, Any] = {}
    with (
        TemporaryDirectory(prefix="simulated-") as folder,
        ProcessPoolExecutor(options.processes, initializer=_start, initargs=(Path(folder),)) as pool,
    ):
        for set_name in sets:
            model = surrogate(set_name)
            print(f"{set_name}: {len(model.runs)} runs, left out {model.left_out()}")
            truths = max(true_scores(set_name)), model.truth(recommended_on(set_name)), model.truth(DEFAULT)
            print("  best {:.4f}, recommended {:.4f}, usual {:.4f}".format(*truths))

            def run(name: str, first: list[Values], set_name: str = set_name) -> list[dict[str, Any]]:
                job = partial(one, set_name, name, first, options.workers)
                return list(pool.map(job, range(options.seeds), chunksize=4))

            references = list(
                pool.map(partial(reference, set_name, options.workers), range(options.seeds), chunksize=4)
            )
            results = {}
            for name in names:
                begun = (
                    [] if options.no_first and not name.startswith("autoft") else [recommended_on(set_name)]
                )
                results[name] = run(name, begun)
            figures[set_name] = summarize(set_name, results, references)
            for name, row in figures[set_name].items():
                print(f"  {name:16} {json.dumps(row)}", flush=True)
    print(f"mean ranks at {AT}:")
    for name, row in mean_ranks(figures).items():
        print(f"  {name:16} {json.dumps(row)}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    sys.exit(main())
