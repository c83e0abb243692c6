"""The peers of `Trainer.hyperparameter_search`: `hf-ray` as documented, `hf-ray-tuned` as an expert sets it.

The documentation: https://huggingface.co/docs/transformers/hpo_train. Both get the benchmark's configurations
as points to evaluate instead of sampling their own. `hf_optuna.py` has the third.
"""

import os
from dataclasses import asdict, dataclass
from typing import Any

import ray
from datasets import Dataset
from ray import tune
from ray.tune.search import BasicVariantGenerator
from transformers import (
    DataCollatorWithPadding,
    EvalPrediction,
    PreTrainedModel,
    Trainer,
    TrainingArguments,
    set_seed,
)

from bench import bert
from bench.rows import read_rows
from bench.workloads import DROPOUT, LEARNING_RATE, WEIGHT_DECAY, Job


def hf_ray(job: Job) -> list[dict[str, float]]:
    """The final metrics of each configuration. By default a trial gets a whole GPU."""
    ray.init(num_cpus=job.workers)
    return _search(job, make_trainer(job, ModelInit(job, tuned=False), tuned=False))


def hf_ray_tuned(job: Job) -> list[dict[str, float]]:
    """The same without checkpoints, logs and loggers, with processes that stay from trial to trial.

    On a GPU in bf16, with batches made beside the steps, and nothing that waits for the device at a step.
    """
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    ray.init(num_cpus=job.workers, include_dashboard=False, log_to_driver=False)
    trainer = make_trainer(job, ModelInit(job, tuned=True), tuned=True)
    return _search(job, trainer, reuse_actors=True, verbose=0, resources_per_trial=job.resources)


def _search(job: Job, trainer: Trainer, **ray_options: Any) -> list[dict[str, float]]:
    best = trainer.hyperparameter_search(
        backend="ray",
        direction="maximize",
        hp_space=_space,
        compute_objective=objective,
        n_trials=len(job.configurations),
        search_alg=BasicVariantGenerator([asdict(configuration) for configuration in job.configurations]),
        **ray_options,
    )
    results = {trial.config["seed"]: trial.last_result for trial in best.run_summary.trials}
    return [
        {name: results[configuration.seed][f"eval_{name}"] for name in ("macro_f1", "accuracy")}
        for configuration in job.configurations
    ]


def _space(_: None) -> dict[str, Any]:
    return {
        "learning_rate": tune.loguniform(*LEARNING_RATE),
        "weight_decay": tune.loguniform(*WEIGHT_DECAY),
        "dropout": tune.uniform(*DROPOUT),
        "unfreeze_depth": tune.choice([0, 1, 2, 4, "all"]),
        "seed": tune.randint(0, 2**31),
    }


@dataclass(frozen=True)
class ModelInit:
    """A new model for each trial, frozen to the trial's depth."""

    job: Job
    tuned: bool

    def __call__(self, trial: dict[str, Any] | None) -> PreTrainedModel:
        """`trial` holds the parameters; None when the Trainer is made."""
        params = trial or asdict(self.job.configurations[0])
        set_seed(params["seed"])  # the Trainer has set its own, before it knew the trial's
        model, _ = bert.load(self.job)
        bert.set_depth(model, params["unfreeze_depth"], params["dropout"])
        if self.tuned:
            bert.without_plans()
        return model


def make_trainer(job: Job, model_init: Any, *, tuned: bool) -> Trainer:
    """A Trainer for the whole search; rows are tokenized once, here."""
    tokenizer = bert.load_tokenizer(job)
    train = _dataset(job, "train", tokenizer, tuned=tuned)
    return Trainer(
        model_init=model_init,
        args=(_tuned_arguments if tuned else _documented_arguments)(job, len(train)),
        train_dataset=train,
        eval_dataset=_dataset(job, "validation", tokenizer, tuned=tuned),
        data_collator=DataCollatorWithPadding(
            tokenizer, pad_to_multiple_of=8 if tuned and job.device == "cuda" else None
        ),
        processing_class=tokenizer,
        compute_metrics=_compute_metrics,
    )


def _documented_arguments(job: Job, train_rows: int, **more: Any) -> TrainingArguments:
    return TrainingArguments(
        per_device_train_batch_size=job.batch_size,
        per_device_eval_batch_size=job.batch_size,
        num_train_epochs=job.epochs,
        warmup_steps=job.warmup_steps(train_rows),
        max_grad_norm=job.max_grad_norm,
        eval_strategy="epoch",
        **more,
    )


def _tuned_arguments(job: Job, train_rows: int) -> TrainingArguments:
    return _documented_arguments(
        job,
        train_rows,
        save_strategy="no",
        logging_strategy="no",
        train_sampling_strategy="group_by_length",
        logging_nan_inf_filter=False,  # looks at every step's loss, for which the device has to be waited for
        disable_tqdm=True,
        report_to="none",
        **_ON_DEVICE[job.device],
    )


_ON_DEVICE: dict[str, dict[str, Any]] = {
    "cpu": {"dataloader_pin_memory": False},
    "cuda": {"bf16": True, "dataloader_num_workers": 2, "dataloader_persistent_workers": True},
}


def _dataset(job: Job, split: str, tokenizer: Any, *, tuned: bool) -> Any:
    def encode(rows: dict[str, list[Any]]) -> Any:
        return tokenizer(rows["text"], truncation=True, max_length=job.max_length)

    rows = Dataset.from_pandas(read_rows(job.rows, split), preserve_index=False)
    rows = rows.map(encode, batched=True, remove_columns=["text"])
    # The sampler looks at every row's length in each epoch and evaluation, which Arrow makes slow; that
    # `length_column_name` helps no Dataset: the Trainer drops the column before it looks for it.
    return rows.to_list() if tuned else rows


def _compute_metrics(prediction: EvalPrediction) -> dict[str, float]:
    return bert.classification_metrics(prediction.predictions, prediction.label_ids)


def objective(metrics: dict[str, float]) -> float:
    """What the search maximises."""
    return metrics["eval_macro_f1"]
