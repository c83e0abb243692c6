"""Where and how precisely tensors are computed."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

Precision = Literal["fp32", "bf16"]
FORWARD_TOKENS = {"cpu": 512, "cuda": 16384}
"""Tokens of a forward pass without gradients, padding and all: what keeps the device busy.

No hyperparameter, so that every trial is measured alike."""


def choose_device() -> torch.device:
    """The first visible CUDA device, else the CPU. Who starts the process decides what it sees."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def prepare_process(device: torch.device, cpus: int) -> None:
    """Give this process `cpus` threads and, on a CPU, only algorithms that repeat bit for bit.

    The number of threads takes part in the last bits of a sum, so it belongs to a study, not to a machine.
    """
    torch.set_num_threads(cpus)
    if device.type == "cpu":
        # The backward pass of indexing adds in any order when it runs on several threads.
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Would fill every empty tensor with NaN to catch reads of it.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[None]:
    """Mixed precision with bf16, which needs no loss scaling; weights stay fp32."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if precision == "bf16" else nullcontext()
