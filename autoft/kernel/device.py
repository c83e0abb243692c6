"""Where and how precisely tensors are computed."""

import math
import platform
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

Precision = Literal["fp32", "bf16"]
FORWARD_TOKENS = {"cpu": 512, "cuda": 16384}
"""Tokens of a forward pass without gradients, padding and all: what keeps the device busy.

No hyperparameter, so that every trial is measured alike."""

PIECE_TOKENS = {"cpu": 25.0, "cuda": math.inf}
"""What it costs to compute one more piece of a batch by itself, in tokens that could be computed instead.

On a CPU gradients are added up in memory once more: so many bytes, and for a token so many operations, as the
trained blocks have weights; so it hardly depends on depth or model (15 to 30, see experiments/LOG.md). A GPU
waits for the launches of a small piece: there a batch stays in one, until it is measured what pays."""


def choose_device() -> torch.device:
    """The first visible CUDA device, else the CPU. Who starts the process decides what it sees."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def device_name(device: torch.device) -> str:
    """Tells this node's device from others."""
    kind = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return f"{platform.node()} {kind}"


def prepare_process(device: torch.device, cpus: int, gpu_share: float = 1.0) -> None:
    """Give this process `cpus` threads and, on a CPU, only algorithms that repeat bit for bit.

    The number of threads takes part in the last bits of a sum, so it belongs to a study, not to a machine.
    Of a GPU that several processes share, this one gets `gpu_share` of the memory and not a byte more.
    """
    torch.set_num_threads(cpus)
    if device.type == "cuda":
        # It builds a plan for each new shape and dropout, which takes about half a second; the others do not.
        torch.backends.cuda.enable_cudnn_sdp(False)
        if gpu_share < 1:
            torch.cuda.set_per_process_memory_fraction(gpu_share, device)
    if device.type == "cpu":
        # The backward pass of indexing adds in any order when it runs on several threads.
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Would fill every empty tensor with NaN to catch reads of it.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def free_gpu_memory(device: torch.device) -> int:
    """Bytes that this process can still get: what the device has left, or what is left of its share."""
    free, total = torch.cuda.mem_get_info(device)
    own = total * torch.cuda.get_per_process_memory_fraction(device) - torch.cuda.memory_reserved(device)
    return int(min(free, own))


def autocast(device: torch.device, precision: Precision, cached: bool = True) -> AbstractContextManager[None]:
    """Mixed precision with bf16, which needs no loss scaling; weights stay fp32.

    `cached` weights are rounded once within the block; a CUDA graph would read them where they were.
    """
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16, cache_enabled=cached)
