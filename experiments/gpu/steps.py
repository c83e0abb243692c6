"""A step in a real trial, all blocks trained: BERT-base of 16 rows of 128 tokens, MiniLM of 16 rows of 32.

Wanted: 8.5 and 2.5 ms; of BERT-base's floor (`bench.floor`), a share of 0.25.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from bench import floor
from bench.glue_like import TOKENIZER, write_bert_base, write_rows
from bench.workloads import Configuration, Job

from autoft.kernel.device import Precision
from autoft.kernel.pretrained import package_folder
from autoft.study.trial_config import fine_tune_config
from gpu.study import open_workbench

ROWS = 16
LENGTHS = {"bert": 128, "minilm": 32}
STEPS = {"cuda": 50, "cpu": 2}
"""Of an epoch. The first of the three epochs is not counted."""


def main() -> None:
    """Milliseconds a step by shape, or of the shapes that are named."""
    for name in sys.argv[1:] or LENGTHS:
        with tempfile.TemporaryDirectory() as folder:
            told = measure(name, Path(folder))
        print(f"{name} {ROWS} x {LENGTHS[name]}: {told}", flush=True)


def measure(name: str, folder: Path) -> str:
    """A trial's later steps, beside the floor of one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    precision: Precision = "bf16" if device == "cuda" else "fp32"
    model = write_bert_base(folder / "model") if name == "bert" else package_folder(TOKENIZER)
    count = {"train": ROWS * STEPS[device], "validation": 2 * ROWS}
    rows = write_rows(folder / "rows", count, LENGTHS[name])
    request = {
        "study": "steps",
        "task": "text-classification",
        "model": str(model),
        "data": {"path": str(rows), "inputs": "text", "target": "label"},
        "objective": "accuracy",
        "space": {"learning_rate": 2e-5, "unfreeze_depth": "all", "batch_size": ROWS, "epochs": 3},
        "search": {"evaluations_per_epoch": 1},
        "budget": {"trials": 1},
    }
    spec, workbench = open_workbench(request, folder, precision)
    config = fine_tune_config(spec, spec.space.resolve({}), 7, precision)
    found = [each for each in workbench.fine_tune(config, folder / "best.safetensors") if each]
    step_s = float(np.median([each.training_s / STEPS[device] for each in found[1:]]))
    configuration = Configuration(2e-5, 0.01, 0.1, "all", 7)
    job = Job(rows, model, (configuration,), epochs=3, seed=7, batch_size=ROWS, device=device)
    least_s = floor_of_a_step(job)
    return f"{1e3 * step_s:.2f} ms a step, floor {1e3 * least_s:.2f} ms, share {least_s / step_s:.2f}"


def floor_of_a_step(job: Job) -> float:
    """Seconds of its multiplications and of the optimizer's bytes, one after the other."""
    shape = floor.describe(job)
    operations = 6 * shape.block * shape.blocks * shape.batch_tokens + 6 * shape.head * ROWS
    moved = floor.optimizer_bytes(job, shape, embeddings=True) / job.steps(shape.rows[0])
    return floor.seconds(operations, moved, [floor.measure_rates(job, shape)])


if __name__ == "__main__":
    main()
