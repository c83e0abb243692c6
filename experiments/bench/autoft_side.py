"""autoft's own side: the search as a user starts it, recorder and registry on.

The space's `first` lists the benchmark's configurations and the budget ends with them, so nothing is sampled.
"""

import os
from pathlib import Path
from typing import Any

from autoft.api import search
from autoft.named import read_study
from bench.workloads import DROPOUT, LEARNING_RATE, WEIGHT_DECAY, Job

STUDY = "bench"


def run_autoft(job: Job) -> list[dict[str, float]]:
    """The final metrics of each configuration, with the trial's own seconds and when it ended."""
    search(space_of(job))
    trials = read_study(STUDY).trials
    wrong = [trial for trial in trials if trial.state != "COMPLETE" or trial.finished is None]
    if wrong or len(trials) != len(job.configurations):
        raise RuntimeError(
            f"{len(trials)} trials, of which not complete: {[trial.reason for trial in wrong]}"
        )
    for trial, configuration in zip(trials, job.configurations, strict=True):
        if trial.values["learning_rate"] != configuration.learning_rate or trial.seed != configuration.seed:
            raise RuntimeError(f"trial {trial.number} is not configuration {trial.number}: {trial.params}")
    return [
        {
            "macro_f1": trial.measurements[-1].metrics["macro_f1"],
            "accuracy": trial.measurements[-1].metrics["accuracy"],
            "elapsed_s": trial.measurements[-1].elapsed_s,
            "finished_s": trial.finished.timestamp(),
        }
        for trial in trials
    ]


def space_of(job: Job) -> dict[str, Any]:
    """The job as the content of a space.yaml."""
    depths = sorted({configuration.unfreeze_depth for configuration in job.configurations}, key=str)
    one_depth = len(depths) == 1
    return {
        "study": STUDY,
        "task": "text-classification",
        "model": str(Path(job.model)),
        "data": {"path": str(job.rows), "inputs": "text", "target": "label"},
        "objective": "macro_f1",
        "space": {
            "learning_rate": _range(LEARNING_RATE, log=True),
            "weight_decay": _range(WEIGHT_DECAY, log=True),
            "dropout": _range(DROPOUT, log=False),
            "unfreeze_depth": depths[0] if one_depth else depths,
            "batch_size": job.batch_size,
            "epochs": job.epochs,
            "warmup_ratio": job.warmup_ratio,
            "lr_schedule": "linear",
            "max_length": job.max_length,
            "max_grad_norm": job.max_grad_norm,
            "label_smoothing": 0.0,
        },
        "first": [_first(configuration, without_depth=one_depth) for configuration in job.configurations],
        "search": {
            "start": "random",  # else trial 0 is the recommended configuration, and all others come later
            "sampler": "random",
            "pruner": "none",
            "seed": job.seed,
            "evaluations_per_epoch": 1.0,
        },
        "budget": {"trials": len(job.configurations)},
        "resources": {
            "cpus_per_trial": 1,
            "max_concurrent": job.workers,
            **({"gpus_per_trial": job.resources["gpu"]} if job.device == "cuda" else {}),
            "cuda_graphs": job.device == "cuda" and bool(os.environ.get("GRAPHS")),
        },
    }


def _range(ends: tuple[float, float], *, log: bool) -> dict[str, Any]:
    return {"low": ends[0], "high": ends[1], "log": log}


def _first(configuration: Any, *, without_depth: bool) -> dict[str, Any]:
    names = ["learning_rate", "weight_decay", "dropout"] + ([] if without_depth else ["unfreeze_depth"])
    return {name: getattr(configuration, name) for name in names}
