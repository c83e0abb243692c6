"""A real out-of-memory: in steps and in an evaluation, by a trial's own need, and beside a process that holds
the memory. Less is then computed at once, and without dropout the result is the same.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from bench.glue_like import write_bert_base

from autoft.study.trial_config import fine_tune_config
from gpu.study import open_workbench

GIB = 2**30
LEFT_GIB = 9.0
"""Of the GPU, beside the other process."""
EVALUATION_LACKS_GIB = 0.3
"""Of what an evaluation has taken with all of the GPU; its steps need far less than that."""
SAME = 1e-4
HOLDER = """
import sys, torch
free, _ = torch.cuda.mem_get_info()
held = torch.empty(max(0, free - int(float(sys.argv[1]) * 2**30)), dtype=torch.uint8, device="cuda")
print("held", flush=True)
sys.stdin.read()
"""
LONG_STEPS = {"unfreeze_depth": "all", "batch_size": 256}
"""Steps of 256 long rows, which need more than an evaluation does."""
LONG_EVALUATION = {"unfreeze_depth": 0, "batch_size": 8}
"""Steps that need hardly more than the weights, so that the evaluation is what takes most."""


def main() -> None:
    """Two trials with all of the GPU and with less than they need; the first beside another process, too."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = write_bert_base(folder / "model")
        data = write_rows(folder / "data")

        def run(case: str, space: dict[str, Any]) -> tuple[list[float], float]:
            return fine_tune(case, model, data, folder / case, space)

        whole, peak = run("steps, all of the GPU", LONG_STEPS)
        with at_most(peak / 2):
            check(whole, run("steps, half of that", LONG_STEPS)[0])
        evaluated, peak = run("evaluation, all of the GPU", LONG_EVALUATION)
        with at_most(peak - EVALUATION_LACKS_GIB * GIB):
            check(evaluated, run("evaluation, less than that", LONG_EVALUATION)[0])
        with beside_a_holder():
            check(whole, run("steps, beside another process", LONG_STEPS)[0])


def check(whole: list[float], other: list[float]) -> None:
    """Tells whether the losses are the same."""
    print(
        f"the same losses within {SAME}:", all(abs(a - b) < SAME for a, b in zip(whole, other, strict=True))
    )


@contextmanager
def at_most(bytes_: float) -> Iterator[None]:
    """In the block, this process gets so much of the GPU's memory."""
    _, total = torch.cuda.mem_get_info()
    torch.cuda.set_per_process_memory_fraction(bytes_ / total)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@contextmanager
def beside_a_holder() -> Iterator[None]:
    """In the block, another process holds all but LEFT_GIB."""
    command = [sys.executable, "-c", HOLDER, str(LEFT_GIB)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None and holder.stdout is not None
        holder.stdout.readline()
        with holder.stdin:  # closed, it ends
            yield


def fine_tune(
    case: str, model: Path, data: Path, folder: Path, space: dict[str, Any]
) -> tuple[list[float], float]:
    """Training and validation losses of a trial of one epoch, and the bytes that it took at most."""
    folder.mkdir()
    request = {
        "study": "memory",
        "task": "text-classification",
        "model": str(model),
        "data": {"path": str(data), "inputs": "text", "target": "label"},
        "objective": "accuracy",
        "space": {"learning_rate": 2e-5, "epochs": 1, "max_length": 256, "dropout": 0.0, **space},
        "search": {"evaluations_per_epoch": 1},
        "budget": {"trials": 1},
        "resources": {"cache": 0},  # stored states would stand for what is to run out of memory
    }
    spec, workbench = open_workbench(request, folder, "fp32")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    failed = torch.cuda.memory_stats()["num_ooms"]
    config = fine_tune_config(spec, spec.space.resolve({}), 7, "fp32")
    (one,) = [each for each in workbench.fine_tune(config, folder / "best.safetensors") if each]
    peak = torch.cuda.max_memory_reserved()
    print(
        f"{case}: memory was short {torch.cuda.memory_stats()['num_ooms'] - failed} times,"
        f" rows at once {one.micro_batch or 'all'}, train loss {one.metrics['train_loss']:.6f},"
        f" log loss {one.metrics['log_loss']:.6f}, {one.training_s:.1f} s and {one.evaluation_s:.1f} s,"
        f" peak {peak / GIB:.1f} GiB"
    )
    del workbench
    torch.cuda.empty_cache()
    return [one.metrics["train_loss"], one.metrics["log_loss"]], peak


def write_rows(folder: Path) -> Path:
    """Long rows: each some of the quickstart's, one after the other."""
    rows = pd.read_csv(Path(__file__).parents[2] / "search_spaces" / "quickstart.csv")
    folder.mkdir()
    for split, begin, end in (("train", 0, 768), ("validation", 768, 900)):
        part = rows.iloc[begin:end]
        texts = [
            " ".join(part["text"].iloc[(i + j) % len(part)] for j in range(14)) for i in range(len(part))
        ]
        pd.DataFrame({"text": texts, "label": part["queue"].to_numpy()}).to_csv(
            folder / f"{split}.csv", index=False
        )
    return folder


if __name__ == "__main__":
    main()
