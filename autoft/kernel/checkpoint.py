"""Checkpoints: safetensors of what a trial changed, whole or absent, never half."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from autoft.data.files import replacing
from autoft.errors import ModelError


def save_checkpoint(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write `tensors` (by name) to `path` at once: a reader sees the old file or the new one.

    Raises OSError where the disk does not take it; then nothing is left behind.
    """
    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def load_checkpoint(path: Path, into: Mapping[str, torch.Tensor]) -> None:
    """Copy a checkpoint into the tensors `into` (by name), in place.

    Raises:
        ModelError: the file is missing or damaged, or its names or shapes are not those of `into`.
    """
    try:
        tensors = load_file(path)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such checkpoint") from None
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: the checkpoint is damaged: {error}") from error
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
