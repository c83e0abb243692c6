"""Searches for real: autoft, Optuna below the Trainer, and the recommended configuration alone.

    python experiments/real_search.py --data FOLDER_OF_SETS --json result.json
    python experiments/real_search.py --data FOLDER_OF_SETS --set clinc_domains --seeds 1 --json result.json

Each set is a folder with train.csv, validation.csv and test.csv (columns text and label). MiniLM, macro F1,
two trials at a time on one thread each, the same ranges. Every run is a process of its own in a new folder;
its minutes are counted from the process's start. No search is given the test rows; each winner is scored on
them when its search is over. `real_sides.py` has the sides: the winner of `hf-optuna-tuned` has to be
trained again for that, after the clock, and the table has the validation score of both times.

Printed are macro F1 on validation and test, and how much better autoft's winner is on test than the side's,
with the 90 % interval of a paired bootstrap of the test rows: it says what other test rows would do, and not
what other seeds would. `all` is the mean over the seeds on the same resamples. A run that is in the JSON file
is not made again.

The Trainer needs accelerate beside what autoft needs: `pip install accelerate`.
"""

import argparse
import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from bench.measure import run_side
from bench.rows import label_names, read_rows, write_rows
from bench_peers import warm_up
from real_sides import AUTOFT, DEFAULT, MODEL, SIDES, Search

from autoft.kernel.pretrained import package_folder

SETS = ("clinc_domains", "banking77_10shot")
RESAMPLES = 1000
INTERVAL = (5, 95)
"""Percentiles."""
ALL = "all"
"""Instead of a seed: the mean over all of them."""


@dataclass(frozen=True)
class TestRows:
    """What the winners of one set are scored on."""

    labels: tuple[str, ...]
    truth: np.ndarray
    """Index of each row's label, int64 [rows]."""

    @classmethod
    def read(cls, folder: Path) -> "TestRows":
        """Those of a set; ValueError where one has a label that the other splits lack."""
        truth = read_rows(folder, "test")["label"]
        if truth.isna().any():
            raise ValueError(
                f"{folder}/test.csv: {truth.isna().sum()} rows have a label that is in no other file"
            )
        return cls(tuple(label_names(folder)), truth.to_numpy(dtype=np.int64))


def main() -> None:
    """Makes the runs that are missing, prints the table and writes the JSON after each of them."""
    options = _parse()
    model = package_folder(MODEL).resolve()
    result = _read(options.json, options.minutes)
    missing = [key for key in _keys(options) if "/".join(map(str, key)) not in result["runs"]]
    if missing:
        warm_up(model)
    for name, seed, side in missing:
        test = TestRows.read(options.data / name)
        told = {"labels": list(test.labels), "truth": test.truth.tolist()}
        if result["sets"].setdefault(name, told) != told:
            raise SystemExit(f"{options.json}: its runs of {name} are on other test rows than {options.data}")
        run = _run(side, options.data / name, model, seed, options.minutes, test)
        result["runs"][f"{name}/{seed}/{side}"] = run
        result["differences"] = differences(result)
        _write(options.json, result)
        print(f"{name}, seed {seed}, {side}: {run['wall_s']:.0f} s, test {run['test']:.4f}", flush=True)
    print(table(result))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder that has the sets' folders")
    parser.add_argument("--set", action="append", help=f"repeatable; default {' and '.join(SETS)}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--minutes", type=float, default=12, help="of a whole search")
    parser.add_argument("--side", action="append", choices=SIDES, help="repeatable; default all")
    parser.add_argument("--json", type=Path, required=True, help="the runs; those in it are not made again")
    options = parser.parse_args()
    options.data = options.data.resolve()
    options.set, options.side = options.set or list(SETS), options.side or list(SIDES)
    return options


def _keys(options: argparse.Namespace) -> list[tuple[str, int, str]]:
    """Set, seed and side of each run; who goes first changes, so that a drift favors nobody."""
    keys = []
    for turn, (name, seed) in enumerate(product(options.set, options.seeds)):
        keys += [(name, seed, side) for side in options.side[:: -1 if turn % 2 else 1]]
    return keys


def _read(file: Path, minutes: float) -> dict[str, Any]:
    if not file.exists():
        return {"minutes": minutes, "sets": {}, "runs": {}, "differences": {}}
    result: dict[str, Any] = json.loads(file.read_text())
    if result["minutes"] != minutes:
        raise SystemExit(
            f"{file}: its searches have {result['minutes']} minutes, and {minutes} were asked for"
        )
    return result


def _write(file: Path, result: dict[str, Any]) -> None:
    temporary = file.with_name(f"{file.name}.tmp")
    temporary.write_text(json.dumps(result) + "\n")
    os.replace(temporary, file)


def _run(side: str, data: Path, model: Path, seed: int, minutes: float, test: TestRows) -> dict[str, Any]:
    """One run and its scores on test; the predictions as indices of labels."""
    with tempfile.TemporaryDirectory(prefix="real-rows-") as folder:
        rows = write_rows(data, "text", "label", Path(folder))
        run = run_side(side, Search(rows, model, data, seed, minutes), module="real_sides")
    [winner] = run.trials
    predicted = [test.labels.index(label) for label in winner.pop("predicted")]
    once = np.ones((1, len(test.truth)))
    return {
        **winner,
        "test": float(macro_f1(once, test, np.array(predicted))[0]),
        "test_accuracy": float(np.mean(test.truth == predicted)),
        "wall_s": run.wall_s,
        "commit": _commit(),
        "predicted": predicted,
    }


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.check_output(command, cwd=Path(__file__).parent, text=True).strip()


def macro_f1(counts: np.ndarray, test: TestRows, predicted: np.ndarray) -> np.ndarray:
    """Macro F1 of each resample, as scikit-learn has it: over the labels that are in it or predicted there.

    Args:
        counts: how often each resample has each row, [resamples, rows].
        test: the rows.
        predicted: index of the label that each row is given, [rows].
    """
    labels = np.eye(len(test.labels))
    hits = counts @ (labels[predicted] * (predicted == test.truth)[:, None])
    present = counts @ (labels[predicted] + labels[test.truth])
    return (2 * hits / np.maximum(present, 1)).sum(axis=1) / (present > 0).sum(axis=1)


def differences(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By set and side, how much better autoft's test score is: for each seed, and the mean as ALL."""
    found: dict[str, dict[str, Any]] = {}
    for name, told in result["sets"].items():
        test = TestRows(tuple(told["labels"]), np.array(told["truth"]))
        for side in SIDES:
            pairs = {} if side == AUTOFT else _pairs(result["runs"], name, side)
            gains = {seed: _gains(test, *map(np.array, pair)) for seed, pair in pairs.items()}
            if len(gains) > 1:
                gains[ALL] = np.mean(list(gains.values()), axis=0)
            if gains:
                found.setdefault(name, {})[side] = {seed: _interval(gain) for seed, gain in gains.items()}
    return found


def _pairs(runs: dict[str, Any], name: str, side: str) -> dict[str, tuple[list[int], list[int]]]:
    """By seed, the predictions of autoft and of the other side."""
    own = [key for key in runs if key.startswith(f"{name}/") and key.endswith(f"/{AUTOFT}")]
    seeds = sorted((key.split("/")[1] for key in own), key=int)
    return {
        seed: (runs[f"{name}/{seed}/{AUTOFT}"]["predicted"], runs[f"{name}/{seed}/{side}"]["predicted"])
        for seed in seeds
        if f"{name}/{seed}/{side}" in runs
    }


def _gains(test: TestRows, own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """autoft's macro F1 less the other's: on the test rows themselves, then on each resample of them."""
    rows = len(test.truth)
    resamples = np.random.default_rng(0).multinomial(rows, np.full(rows, 1 / rows), size=RESAMPLES)
    counts = np.vstack([np.ones(rows), resamples])
    return macro_f1(counts, test, own) - macro_f1(counts, test, other)


def _interval(gains: np.ndarray) -> dict[str, float]:
    low, high = np.percentile(gains[1:], INTERVAL)
    return {"difference": float(gains[0]), "low": float(low), "high": float(high)}


def table(result: dict[str, Any]) -> str:
    """All runs, in Markdown, and what is odd about them."""
    heads = ("set", "seed", "side", "trials ended", "validation", "test", "accuracy", "autoft less it, 90 %")
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    odd = []
    for key in sorted(result["runs"], key=_order):
        name, seed, side = key.split("/")
        run = result["runs"][key]
        gain = _gain_text(result["differences"], name, side, seed)
        scores = f"{_validation_text(run)} | {run['test']:.4f} | {run['test_accuracy']:.4f}"
        lines.append(f"| {name} | {seed} | {side} | {_trials_text(run['trials'])} | {scores} | {gain} |")
        odd += [f"{key}: {problem}" for problem in _problems(run, side, 60 * result["minutes"])]
    for name, side in product(result["differences"], SIDES):
        if gain := _gain_text(result["differences"], name, side, ALL):
            lines.append(f"| {name} | {ALL} | {side} | | | | | {gain} |")
    commits = sorted({run["commit"] for run in result["runs"].values()})
    odd += [f"runs of several commits: {', '.join(commits)}"] if len(commits) > 1 else []
    return "\n".join([*lines, "", *odd])


def _order(key: str) -> tuple[str, int, int]:
    name, seed, side = key.split("/")
    return name, int(seed), list(SIDES).index(side)


def _trials_text(trials: dict[str, int]) -> str:
    ended = {state: count for state, count in trials.items() if state != "RUNNING"}
    kinds = ", ".join(f"{count} {state.lower()}" for state, count in sorted(ended.items()))
    return f"{sum(ended.values())} ({kinds})"


def _validation_text(run: dict[str, Any]) -> str:
    again = "" if run["again"] is None else f", again {run['again']:.4f}"
    return f"{run['validation']:.4f}{again}"


def _gain_text(found: dict[str, Any], name: str, side: str, seed: str) -> str:
    gain = found.get(name, {}).get(side, {}).get(seed)
    return f"{gain['difference']:+.4f} [{gain['low']:+.4f}, {gain['high']:+.4f}]" if gain else ""


def _problems(run: dict[str, Any], side: str, limit_s: float) -> list[str]:
    """What makes a comparison with this run less than fair."""
    problems = []
    if run["again"] is not None and run["again"] != run["validation"]:
        problems.append(f"trained again it is not the model that won: {run['again']}, {run['validation']}")
    if side != DEFAULT and run["ended_s"] > limit_s:
        problems.append(f"the winner ended {run['ended_s'] - limit_s:.1f} s after the time was over")
    if failed := run["trials"].get("FAIL"):
        problems.append(f"{failed} trials failed")
    return problems


if __name__ == "__main__":
    main()
