"""Checkpoints: safetensors of what a trial changed, complete or absent."""

import json
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError, safe_open

from autoft.data.files import replacing
from autoft.errors import ModelError
from autoft.kernel.vocabulary import widen

_KINDS = {
    torch.float32: "F32",
    torch.float64: "F64",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


MEASURED_KEY = "measurement"
"""In a checkpoint's metadata: the index of the measurement whose model it holds."""


class CheckpointWriter:
    """Writes checkpoints in the order in which they come; waiting for the disk is done on another thread.

    The tensors are written at once, into the system's file cache, because training continues to change them;
    that takes no longer than a copy would. Then the thread waits for the disk and gives the file its name: a
    reader sees the old checkpoint or the new one.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._pending: list[Future[None]] = []

    def save(
        self, tensors: Mapping[str, torch.Tensor], path: Path, header: Mapping[str, str] | None = None
    ) -> Future[None]:
        """Begin to write `tensors` (by name) to `path`; when the returned future is done, they are there.

        `header` goes into the file's metadata. Raises OSError if the disk does not accept these or earlier
        ones; no partial file is left behind.
        """
        if all(each.done() for each in self._pending):
            self.finish()
        with ExitStack() as stack:
            temporary = stack.enter_context(replacing(path))
            with temporary.open("wb") as file:
                _write(tensors, file, header or {})
            rest = stack.pop_all()
        self._pending.append(self._thread.submit(rest.close))
        return self._pending[-1]

    def finish(self) -> None:
        """Wait for all that was saved. Raises OSError if the disk did not accept it."""
        pending, self._pending = self._pending, []
        wait(pending)
        for each in pending:
            each.result()

    def settle(self) -> None:
        """Wait for what an ended trial saved, whether the disk accepted it or not."""
        with suppress(OSError):
            self.finish()


def _write(tensors: Mapping[str, torch.Tensor], file: BinaryIO, about: Mapping[str, str]) -> None:
    """The safetensors format: length of the header, header, numbers; tensor by tensor, without a copy of all.

    https://github.com/huggingface/safetensors#format
    """
    header: dict[str, Any] = {"__metadata__": dict(about)} if about else {}
    end = 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.nbytes
        kind = _KINDS[tensor.dtype]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for tensor in tensors.values():
        file.write(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)


def load_checkpoint(path: Path, into: Mapping[str, torch.Tensor], measurement: int | None = None) -> None:
    """Copy a checkpoint into the tensors `into` (by name), in place.

    Args:
        path: the file.
        into: by name; with their pretrained values, if the checkpoint holds only some rows of a table.
        measurement: the index of the one whose model it has to hold; None takes any.

    Raises:
        ModelError: the file is missing or damaged, it holds the model of another measurement, or its names or
            shapes are not those of `into`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            holds = (file.metadata() or {}).get(MEASURED_KEY)
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except FileNotFoundError:
        raise ModelError(f"{path}: no such checkpoint") from None
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: the checkpoint is damaged: {error}") from error
    if measurement is not None and holds != str(measurement):
        raise ModelError(f"{path}: holds the model of measurement {holds}, not of {measurement}")
    tensors = widen(stored, into)
    different = sorted(
        name
        for name in tensors.keys() | into.keys()
        if name not in tensors or name not in into or tensors[name].shape != into[name].shape
    )
    if different:
        raise ModelError(
            f"{path}: the checkpoint is of another model, number of labels or unfreeze_depth: "
            f"{len(different)} tensors differ, among them {different[0]}"
        )
    with torch.no_grad():
        for name, tensor in into.items():
            tensor.copy_(tensors[name])
