"""24 fixed configurations of the quickstart, one after the other in one process, in bf16.

Wanted: no first measurement later than twice its steps' own time plus 0.5 s, but a process's first; and 40 s
in all. A step's own time is what the trial's later steps take.
"""

import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from autoft.kernel.device import Precision
from autoft.study.trial_config import fine_tune_config, trial_seed
from gpu.study import open_workbench

QUICKSTART = Path(__file__).parents[2] / "search_spaces" / "quickstart.yaml"
COUNT = 24
DEPTHS = ("all", 0, 1, 2, 4, "all")


def main() -> None:
    """Each trial's seconds."""
    random = np.random.default_rng(7)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.monotonic()
        precision: Precision = "bf16" if torch.cuda.is_available() else "fp32"
        spec, workbench = open_workbench(QUICKSTART, folder, precision)
        print(f"prepared in {time.monotonic() - began:.1f} s")
        whole, late = time.monotonic(), []
        for number in range(COUNT):
            values = {
                "learning_rate": float(10 ** random.uniform(-4, -2.5)),
                "unfreeze_depth": DEPTHS[number % len(DEPTHS)],
                "dropout": float(random.uniform(0, 0.3)),
                "weight_decay": float(10 ** random.uniform(-4, -0.5)),
            }
            config = fine_tune_config(spec, spec.space.resolve(values), trial_seed(7, number), precision)
            began = time.monotonic()
            found = [each for each in workbench.fine_tune(config, folder / "best.safetensors") if each]
            seconds = time.monotonic() - began
            first = found[0]
            paces = [one.training_s / (one.step - before.step) for before, one in pairwise(found)]
            step_s = float(np.median(paces))
            allowed = 2 * step_s * first.step + 0.5
            late += [number] if first.elapsed_s > allowed and number else []
            print(
                f"{number:2} depth={values['unfreeze_depth']!s:3} {seconds:5.2f} s; first measurement at"
                f" {first.elapsed_s:5.2f} s of {allowed:.2f}; {step_s * 1e3:5.1f} ms a step,"
                f" {np.median([one.evaluation_s for one in found]) * 1e3:5.1f} ms an evaluation;"
                f" {max(one.metrics['macro_f1'] for one in found):.4f}"
            )
        print(f"{COUNT} trials in {time.monotonic() - whole:.1f} s; late: {late or 'none but the first'}")


if __name__ == "__main__":
    main()
