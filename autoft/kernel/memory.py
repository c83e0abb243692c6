"""Out of memory: told from other errors, met with smaller pieces of a batch, remembered on the node.

The batch size stays the user's: a batch is computed in micro-batches, whose gradients add up.
"""

import json
from pathlib import Path

import torch

from autoft.data.files import hasher, locked, replacing
from autoft.errors import AutoftError
from autoft.kernel.config import FineTuneConfig
from autoft.spec.hyperparameters import Cost
from autoft.spec.tasks import HYPERPARAMETERS

_SIGNS = (
    "can't allocate memory",
    "could not create a primitive",
    "could not create a memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
_DECIDING = {name for name, each in HYPERPARAMETERS.items() if each.cost not in (Cost.NOTHING, Cost.ROWS)}
"""Hyperparameters that memory depends on, whatever the micro-batch."""


class OutOfMemory(AutoftError):  # noqa: N818 - the state of a trial, told as such in the study
    """Not even one row at a time fits."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory was short, on a GPU or on a CPU.

    torch's CPU allocator has no exception of its own, and oneDNN says no more than that it failed.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


class WorkingSizes:
    """What micro-batch fitted last, for all workers of a node: the next trial need not find it out again.

    A file; where it cannot be read or written, nothing is remembered, and a trial finds out for itself.
    """

    def __init__(self, path: Path, device: str) -> None:
        """`device` tells nodes and their devices apart, where they share the file's folder."""
        self._path, self._device = path, device

    def of(self, config: FineTuneConfig) -> int:
        """The micro-batch to begin with; the whole batch where nothing is known."""
        return min(config.batch_size, self._read().get(self._key(config), config.batch_size))

    def remember(self, config: FineTuneConfig, rows: int) -> None:
        """So many fit, and no more."""
        try:
            with locked(self._path):
                known = self._read()
                if known.get(self._key(config), rows + 1) <= rows:
                    return
                known[self._key(config)] = rows
                with replacing(self._path) as temporary:
                    temporary.write_text(json.dumps(known))
        except OSError:
            return

    def _read(self) -> dict[str, int]:
        try:
            known: dict[str, int] = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return known

    def _key(self, config: FineTuneConfig) -> str:
        """What memory depends on, as far as a trial decides it."""
        digest = hasher()
        values = {**vars(config), **config.task_values}
        deciding = {name: values[name] for name in _DECIDING & values.keys()}
        parts = [self._device, config.model, config.precision, deciding]
        digest.update(json.dumps(parts, sort_keys=True).encode())
        return digest.hexdigest()
