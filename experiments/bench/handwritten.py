"""The peer `handwritten`: Ray Tune and a plain PyTorch loop, what an expert would write in a day.

A worker process stays from trial to trial, with the model, its pristine weights and the tokenized rows, which
lie on the device. The frozen prefix runs without gradients, batches hold rows of similar length, AdamW is
fused, nothing is written to the disk; on a GPU it computes in bf16. What it does not do is remember what the
frozen prefix gave. Its batches are its own, except where the gate compares results (`Job.alike`).
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from ray import tune
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.optim.lr_scheduler import LambdaLR
from transformers import PreTrainedModel

from autoft.data.batch import evaluation_batches, random_batches
from autoft.kernel.initialize import derive_seed
from bench import bert
from bench.rows import SPLITS, tokenize
from bench.workloads import Configuration, Job

BatchOrder = Callable[[np.ndarray, int, int, int], list[np.ndarray]]


EVALUATION_TOKENS = {"cpu": 512, "cuda": 16384}
"""Of a forward pass without gradients, with padding: what fits the cache of a core, what keeps a GPU busy."""
PAD_TO = {"cpu": 1, "cuda": 8}
"""A padded length is a multiple of this: tensor cores multiply in eights."""

POOL_BATCHES = 50
"""Of rows that are sorted together."""


def handwritten(job: Job) -> list[dict[str, float]]:
    """The final metrics of each configuration, with rows of similar length in a batch."""
    return _search(job, random_batches if job.alike else bucketed_batches)


def handwritten_random(job: Job) -> list[dict[str, float]]:
    """The same with random batches."""
    return _search(job, random_batches)


def bucketed_batches(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Rows of like length in a batch: what pads least where a batch is computed in one piece."""
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), POOL_BATCHES * batch_size):
        pool = order[start : start + POOL_BATCHES * batch_size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[first : first + batch_size] for first in range(0, len(pool), batch_size)]
    return [batches[i] for i in random.permutation(len(batches))]


def _search(job: Job, batch_order: BatchOrder) -> list[dict[str, float]]:
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    ray.init(num_cpus=job.workers, include_dashboard=False, log_to_driver=False)
    analysis = tune.run(
        tune.with_parameters(FineTuner, job=job, batch_order=batch_order),
        config={"number": tune.grid_search(list(range(len(job.configurations))))},
        resources_per_trial=job.resources,
        reuse_actors=True,
        storage_path=str(Path.cwd() / "ray_results"),
        verbose=0,
    )
    trials = sorted(analysis.trials, key=lambda trial: trial.config["number"])
    return [{name: trial.last_result[name] for name in ("macro_f1", "accuracy")} for trial in trials]


class FineTuner(tune.Trainable):
    """One worker; a step is an epoch with its evaluation."""

    def setup(self, config: dict[str, Any], job: Job, batch_order: BatchOrder) -> None:
        """Load what stays, and begin the first trial."""
        torch.set_num_threads(1)
        bert.without_plans()
        self.job, self.batch_order, self.device = job, batch_order, torch.device(job.device)
        self.model, self.fresh = bert.load(job)
        self.model.to(self.device)
        self.pristine = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        tokenizer = bert.load_tokenizer(job)
        self.data = {
            split: Split(
                tokenize(job.rows, split, tokenizer, job.max_length), tokenizer.pad_token_id, self.device
            )
            for split in SPLITS
        }
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin the next trial in the same process."""
        self.configuration = self.job.configurations[new_config["number"]]
        self.epoch = 0
        # The head that autoft draws: compared is what trains it.
        torch.manual_seed(derive_seed(self.configuration.seed, 0))
        self.model.load_state_dict(self.pristine)
        redraw(self.model, self.fresh)
        bert.set_depth(self.model, self.configuration.unfreeze_depth, self.configuration.dropout)
        run_without_gradients(self.model, bert.frozen_parts(self.model, self.configuration.unfreeze_depth))
        self.optimizer = build_optimizer(self.model, self.configuration)
        self.scheduler = build_scheduler(self.optimizer, self.job, len(self.data["train"]))
        return True

    def step(self) -> dict[str, Any]:
        """One epoch and its evaluation."""
        self._train_epoch()
        self.epoch += 1
        return {**self._evaluate(), "done": self.epoch == self.job.epochs}

    def _train_epoch(self) -> None:
        self.model.train()
        train, trained = self.data["train"], [p for p in self.model.parameters() if p.requires_grad]
        seed = self.configuration.seed
        for rows in self.batch_order(train.lengths, self.job.batch_size, seed, self.epoch):
            inputs, labels = train.batch(rows)
            nn.functional.cross_entropy(self._logits(inputs), labels).backward()
            nn.utils.clip_grad_norm_(trained, self.job.max_grad_norm)
            self.optimizer.step()
            self.scheduler.step()
            self.optimizer.zero_grad(set_to_none=True)

    @torch.inference_mode()
    def _evaluate(self) -> dict[str, float]:
        self.model.eval()
        validation = self.data["validation"]
        logits, labels = [], []
        for rows in evaluation_batches(validation.lengths, EVALUATION_TOKENS[self.job.device]):
            inputs, truth = validation.batch(rows)
            logits.append(self._logits(inputs))
            labels.append(truth)
        return bert.classification_metrics(torch.cat(logits).cpu().numpy(), torch.cat(labels).cpu().numpy())

    def _logits(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """[b, labels], float32; computed in bf16 on a GPU, and on a CPU in float32."""
        with torch.autocast(self.job.device, torch.bfloat16, enabled=self.job.device == "cuda"):
            logits: torch.Tensor = self.model(**inputs).logits
        return logits.float()


class Split:
    """Tokenized rows on the device, padded once, and their batches."""

    def __init__(self, rows: Any, pad_id: int, device: torch.device) -> None:
        self.lengths = rows.lengths
        ids = pad_sequence([torch.tensor(row) for row in rows.ids], batch_first=True, padding_value=pad_id)
        multiple = PAD_TO[device.type]
        self._ids = nn.functional.pad(ids, (0, -ids.shape[1] % multiple), value=pad_id).to(device)
        self._labels = torch.tensor(rows.labels, device=device)
        self._pad_id, self._multiple = pad_id, multiple

    def __len__(self) -> int:
        return len(self._ids)

    def batch(self, rows: np.ndarray) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """The model's inputs, padded to the longest of the `rows` [b], and the labels [b]."""
        longest = int(self.lengths[rows].max())
        width = -(-longest // self._multiple) * self._multiple
        chosen = torch.from_numpy(rows).to(self._ids.device, non_blocking=True)
        ids = self._ids[chosen, :width]
        return {"input_ids": ids, "attention_mask": (ids != self._pad_id).long()}, self._labels[chosen]


def redraw(model: PreTrainedModel, names: list[str]) -> None:
    """Give the parameters that the checkpoint lacks new values: normal weights, biases of 0."""
    with torch.no_grad():
        for name in names:
            parameter = model.get_parameter(name)
            parameter.zero_() if parameter.ndim < 2 else parameter.normal_(0, model.config.initializer_range)


def run_without_gradients(model: PreTrainedModel, parts: list[nn.Module]) -> None:
    """Let the forward pass of these modules, and of no others, run under `no_grad`."""
    for module in model.modules():
        vars(module).pop("forward", None)
    for part in parts:
        part.forward = torch.no_grad()(part.forward)


def build_optimizer(model: PreTrainedModel, configuration: Configuration) -> torch.optim.AdamW:
    """Fused AdamW over what is trained, with weight decay on matrices only."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": configuration.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=configuration.learning_rate, fused=True)


def build_scheduler(optimizer: torch.optim.Optimizer, job: Job, train_rows: int) -> LambdaLR:
    """Linear warmup, then linear decay. No update has a rate of 0: the rise counts from before the first."""
    steps, warmup_steps = job.steps(train_rows), job.warmup_steps(train_rows)

    def share(done: int) -> float:
        if done < warmup_steps:
            return (done + 1) / (warmup_steps + 1)
        return (steps - done) / (steps - warmup_steps)

    return LambdaLR(optimizer, share)
