"""The floor: a workload's arithmetic without repetition, and then its optimizer's memory traffic.

The seconds are those of the operations at the rate at which this machine multiplies now, and of the bytes at
the rate at which it copies now, both measured in the same run on the device of the job: on a CPU by all
workers at once in float32, on a GPU in bf16.

Two floors. The plain one computes a prefix once and then every trained block for every token. The least one
leaves out what no result depends on: in the top block all but a row's first token behind the attention (the
head of a BERT reads no other), the gradients that would go below the lowest trained block, and the
optimizer's work on embeddings, of which few tokens occur.

Counted are the products of activations with weight matrices, two operations for each weight and token; the
products of attention, a few percent on short rows, are left out. AdamW reads a weight, its gradient and both
moments in float32, and writes all but the gradient: 28 bytes a weight and step.
"""

import multiprocessing
import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoTokenizer

from bench.rows import label_names, tokenize
from bench.workloads import Job

MEASURED_S = 1.0
"""For each of the two rates."""
ADAMW_BYTES = 28
COPIED_BYTES = {"cpu": 1 << 27, "cuda": 1 << 30}
"""Far more than caches hold."""
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Shape:
    """The model and the data in numbers."""

    blocks: int
    matrices: tuple[tuple[int, int], ...]
    """The weight matrices of one block, inputs by outputs."""
    projections: int
    """Weights of a block's queries, keys and values."""
    head: int
    """Weights of pooler and classifier, which see one token a row."""
    embeddings: int
    rows: tuple[int, int]
    """Of train and validation."""
    tokens: tuple[int, int]
    batch_tokens: int
    """Of a training batch without padding, on average."""

    @property
    def block(self) -> int:
        """Weights of one block."""
        return sum(inputs * outputs for inputs, outputs in self.matrices)


def describe(job: Job) -> Shape:
    """The shape of a job's BERT and rows."""
    config, tokenizer = AutoConfig.from_pretrained(job.model), AutoTokenizer.from_pretrained(job.model)
    hidden, inner = config.hidden_size, config.intermediate_size
    lengths = [
        tokenize(job.rows, split, tokenizer, job.max_length).lengths for split in ("train", "validation")
    ]
    return Shape(
        blocks=config.num_hidden_layers,
        matrices=(*[(hidden, hidden)] * 4, (hidden, inner), (inner, hidden)),
        projections=3 * hidden * hidden,
        head=hidden * hidden + hidden * len(label_names(job.rows)),
        embeddings=hidden * (config.vocab_size + config.max_position_embeddings + config.type_vocab_size),
        rows=(len(lengths[0]), len(lengths[1])),
        tokens=(int(lengths[0].sum()), int(lengths[1].sum())),
        batch_tokens=round(float(lengths[0].mean()) * min(job.batch_size, len(lengths[0]))),
    )


def least_operations(job: Job, shape: Shape) -> float:
    """Floating-point operations of the least floor; see `plain_operations`."""
    plain = plain_operations(job, shape)
    unread = [shape.tokens[split] - shape.rows[split] for split in (0, 1)]
    top = job.epochs * (shape.block - shape.projections) * (6 * unread[0] + 2 * unread[1])
    below = job.epochs * shape.projections * 2 * shape.tokens[0]
    depths = [configuration.unfreeze_depth for configuration in job.configurations]
    return (
        plain
        - top * sum(depth != 0 for depth in depths)
        - below * sum(depth not in (0, "all") for depth in depths)
    )


def plain_operations(job: Job, shape: Shape) -> float:
    """Floating-point operations: the prefix once, then what each trial trains and evaluates.

    A trained block costs 6 operations for each weight and token (forward, and backward to inputs and to
    weights), an evaluated one 2.
    """
    trained = [_trained_blocks(configuration.unfreeze_depth, shape) for configuration in job.configurations]
    prefix = 2 * shape.block * (shape.blocks - min(trained)) * sum(shape.tokens)
    epoch_of_a_block = shape.block * (6 * shape.tokens[0] + 2 * shape.tokens[1])
    epoch_of_a_head = shape.head * (6 * shape.rows[0] + 2 * shape.rows[1])
    trials = sum(job.epochs * (epoch_of_a_block * blocks + epoch_of_a_head) for blocks in trained)
    return float(prefix + trials)


def _trained_blocks(depth: Any, shape: Shape) -> int:
    return shape.blocks if depth == "all" else int(depth)


def optimizer_bytes(job: Job, shape: Shape, *, embeddings: bool) -> float:
    """What AdamW reads and writes in all steps of all trials; under `all` with or without `embeddings`."""
    weights = 0
    for configuration in job.configurations:
        depth = configuration.unfreeze_depth
        weights += shape.block * _trained_blocks(depth, shape) + shape.head
        weights += shape.embeddings if embeddings and depth == "all" else 0
    return float(ADAMW_BYTES * weights * job.steps(shape.rows[0]))


@dataclass(frozen=True)
class Rates:
    """What the device does in a second, all workers together."""

    operations: float
    """Over a block's matrices, forward and backward."""
    copied_bytes: float
    """Read and written."""


def measure_rates(job: Job, shape: Shape) -> Rates:
    """The rates now, in processes of their own."""
    spawn = multiprocessing.get_context("spawn")
    workers = job.workers if job.device == "cpu" else 1  # one process has all of a GPU's speed
    barrier, rates = spawn.Barrier(workers), spawn.Queue()
    arguments = (shape.matrices, shape.batch_tokens, job.device, barrier, rates)
    processes = [spawn.Process(target=_work, args=arguments) for _ in range(workers)]
    for process in processes:
        process.start()
    try:
        found = [rates.get(timeout=PATIENCE_S) for _ in processes]
    except queue.Empty:
        raise RuntimeError("the floor's workers did not answer") from None
    for process in processes:
        process.join()
    return Rates(*map(sum, zip(*found, strict=True)))


def _work(matrices: Sequence[tuple[int, int]], tokens: int, device: str, barrier: Any, rates: Any) -> None:
    torch.set_num_threads(1)
    dtype = torch.float32 if device == "cpu" else torch.bfloat16

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, device=device, dtype=dtype)

    layers = [
        (random(tokens, inputs), random(outputs, inputs), random(tokens, outputs))
        for inputs, outputs in matrices
    ]

    def multiply() -> None:
        for activations, weights, gradients in layers:
            torch.mm(activations, weights.T)
            torch.mm(gradients, weights)
            torch.mm(gradients.T, activations)

    source = torch.ones(COPIED_BYTES[device], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    operations = 6 * tokens * sum(inputs * outputs for inputs, outputs in matrices)
    multiplied = operations * _times_a_second(multiply, device, barrier)
    copied = 2 * len(source) * _times_a_second(lambda: target.copy_(source), device, barrier)
    rates.put((multiplied, copied))


def _times_a_second(once: Callable[[], object], device: str, barrier: Any) -> float:
    """How often `once` is done, while the other workers do the same. Some at a time: launches take longer."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    at_once = 20 if device == "cuda" else 1
    once()
    wait()
    barrier.wait()
    began, rounds = time.perf_counter(), 0
    while time.perf_counter() - began < MEASURED_S:
        for _ in range(at_once):
            once()
        wait()
        rounds += at_once
    return rounds / (time.perf_counter() - began)


def seconds(operations: float, moved_bytes: float, rates: Sequence[Rates]) -> float:
    """The serial sum, at the median of the measured rates."""
    return operations / float(np.median([each.operations for each in rates])) + moved_bytes / float(
        np.median([each.copied_bytes for each in rates])
    )
