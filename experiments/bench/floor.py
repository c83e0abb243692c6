"""The floor: a workload's arithmetic without repetition, at the speed that this machine multiplies now.

Two floors. The plain one computes a prefix once and then every trained block for every token. The least one
leaves out what no result depends on: in the top block all but a row's first token behind the attention (the
head of a BERT reads no other), and the gradients that would go below the lowest trained block.

Counted are the products of activations with weight matrices, two operations for each weight and token; the
products of attention, a few percent on short rows, are left out.
"""

import multiprocessing
import queue
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import AutoConfig, AutoTokenizer

from bench.rows import label_names, tokenize
from bench.workloads import WORKERS, Job

MEASURED_S = 2.0
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


def multiplication_rate(shape: Shape) -> float:
    """Operations a second of all workers at once, over a block's matrices, forward and backward, in fp32."""
    spawn = multiprocessing.get_context("spawn")
    barrier, rates = spawn.Barrier(WORKERS), spawn.Queue()
    arguments = (shape.matrices, shape.batch_tokens, barrier, rates)
    workers = [spawn.Process(target=_multiply, args=arguments) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    try:
        total = sum(rates.get(timeout=PATIENCE_S) for _ in workers)
    except queue.Empty:
        raise RuntimeError("the floor's workers did not answer") from None
    for worker in workers:
        worker.join()
    return float(total)


def _multiply(matrices: Sequence[tuple[int, int]], tokens: int, barrier: Any, rates: Any) -> None:
    import torch

    torch.set_num_threads(1)
    layers = [
        (torch.randn(tokens, inputs), torch.randn(outputs, inputs), torch.randn(tokens, outputs))
        for inputs, outputs in matrices
    ]

    def once() -> None:
        for activations, weights, gradients in layers:
            torch.mm(activations, weights.T)
            torch.mm(gradients, weights)
            torch.mm(gradients.T, activations)

    once()
    barrier.wait()
    began, rounds = time.perf_counter(), 0
    while time.perf_counter() - began < MEASURED_S:
        once()
        rounds += 1
    operations = 6 * tokens * sum(inputs * outputs for inputs, outputs in matrices)
    rates.put(rounds * operations / (time.perf_counter() - began))


def share(operations: float, rates: Sequence[float], wall_s: float) -> float:
    """The floor's seconds over the measured ones: 1 is a search that did nothing but multiply."""
    return operations / float(np.median(rates)) / wall_s
