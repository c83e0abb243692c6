"""The peer `hf-optuna-tuned`: `Trainer.hyperparameter_search` on Optuna, in two processes.

One Trainer holds one model, so Optuna's threads (`n_jobs`) cannot share it. The way that Optuna's
documentation gives for several processes is one study in a common storage, which each of them optimises.
"""

import multiprocessing
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from transformers import PreTrainedModel

from bench.hf_trainer import ModelInit, make_trainer, objective
from bench.workloads import DROPOUT, LEARNING_RATE, WEIGHT_DECAY, Job

STUDY = "bench"


def hf_optuna_tuned(job: Job) -> list[dict[str, float]]:
    """The final macro F1 of each configuration: Optuna is told no more."""
    journal = Path.cwd() / "optuna.journal"
    study = optuna.create_study(study_name=STUDY, storage=open_journal(journal), direction="maximize")
    for number, configuration in enumerate(job.configurations):
        study.enqueue_trial(asdict(configuration), user_attrs={"number": number})
    os.environ["OMP_NUM_THREADS"] = "1"
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_work, args=(job, journal)) for _ in range(job.workers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    values = {trial.user_attrs.get("number"): trial.value for trial in study.trials}
    return [{"macro_f1": values[number]} for number in range(len(job.configurations))]


def _work(job: Job, journal: Path) -> None:
    torch.set_num_threads(1)
    make_trainer(job, OptunaModelInit(job), tuned=True).hyperparameter_search(
        backend="optuna",
        direction="maximize",
        hp_space=_space,
        compute_objective=objective,
        n_trials=len(job.configurations),
        study_name=STUDY,
        storage=open_journal(journal),
        load_if_exists=True,
        pruner=optuna.pruners.NopPruner(),
    )


@dataclass(frozen=True)
class OptunaModelInit:
    """A new model for each trial, frozen to the trial's depth."""

    job: Job

    def __call__(self, trial: optuna.Trial | None) -> PreTrainedModel:
        """The Trainer asks for the model before it asks for the parameters."""
        return ModelInit(self.job, tuned=True)(None if trial is None else _space(trial))


def _space(trial: optuna.Trial) -> dict[str, Any]:
    if "number" not in trial.user_attrs:  # not one of the queue's: the other process has the last one
        trial.study.stop()
        raise optuna.TrialPruned
    return {
        "learning_rate": trial.suggest_float("learning_rate", *LEARNING_RATE, log=True),
        "weight_decay": trial.suggest_float("weight_decay", *WEIGHT_DECAY, log=True),
        "dropout": trial.suggest_float("dropout", *DROPOUT),
        "unfreeze_depth": trial.suggest_categorical("unfreeze_depth", [0, 1, 2, 4, "all"]),
        "seed": trial.suggest_int("seed", 0, 2**31),
    }


def open_journal(journal: Path) -> JournalStorage:
    """The study's storage, for each process to open by itself."""
    return JournalStorage(JournalFileBackend(str(journal)))
