"""Frozen means frozen: no gradient, no dropout, no moving statistics below the boundary."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from transformers import PreTrainedConfig, PreTrainedModel

from autoft.kernel.blocks import Anatomy, trained_parameters
from autoft.spec.hyperparameters import Depth

NOT_DROPOUT = ("path", "layerdrop", "layer_drop")
"""Drop whole branches or layers; the architecture's own regularization, not the `dropout` hyperparameter."""


def set_depth(model: PreTrainedModel, anatomy: Anatomy, depth: Depth, dropout: float) -> None:
    """Make exactly what `depth` trains trainable, and give it `dropout`.

    Dropout modules, probabilities kept as attributes for functional dropout, and those that the forward
    pass reads from the configuration are all set. Afterwards the model is in training mode.

    Raises:
        ModelError: the model has fewer blocks than `depth`.
    """
    trained = set(trained_parameters(model, anatomy, depth).values())
    for parameter in model.parameters():
        parameter.requires_grad_(parameter in trained)
    for module in _live_modules(model, anatomy, depth):
        _set_dropout(module, dropout)
    # Read at run time by few architectures (Falcon, GPT-J), each time behind the module's own mode.
    _set_config_dropout(model.config, dropout)
    training_mode(model, anatomy, depth)


def evaluation_mode(model: nn.Module) -> None:
    """Dropout off and statistics fixed, everywhere."""
    model.eval()


def training_mode(model: nn.Module, anatomy: Anatomy, depth: Depth) -> None:
    """Put the trained blocks and the head into training mode and all else into evaluation mode.

    Embeddings stay in evaluation mode even where `all` trains them: dropout reaches blocks and head only.
    Their BatchNorm is the exception, it has to follow the weights.
    """
    evaluation_mode(model)
    for module in _live_modules(model, anatomy, depth):
        module.training = True
    if depth == "all":
        for module in model.modules():
            module.training |= isinstance(module, _BatchNorm)


def restore_dropout_places(model: nn.Module) -> None:
    """Put dropouts of probability 0 where the architecture left an Identity because its configuration says 0.

    The head may hold one itself, so this comes before `find_blocks`.
    """
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Identity and _is_dropout(name):
                setattr(module, name, nn.Dropout(0.0))


def trained_statistics(model: nn.Module, anatomy: Anatomy, depth: Depth) -> dict[str, torch.Tensor]:
    """The BatchNorm buffers that move while `depth` is trained, by name."""
    live = set(model.modules() if depth == "all" else _live_modules(model, anatomy, depth))
    return {
        f"{name}.{buffer_name}": buffer
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm) and module in live
        for buffer_name, buffer in module.named_buffers(recurse=False)
    }


def _live_modules(model: nn.Module, anatomy: Anatomy, depth: Depth) -> Iterator[nn.Module]:
    """The modules in which dropout acts. The outermost one, whose own code runs last, counts as head."""
    yield model
    for part in (*anatomy.trained_blocks(depth), *anatomy.head):
        yield from part.modules()


def _set_dropout(module: nn.Module, dropout: float) -> None:
    if "DropPath" in type(module).__name__:
        return
    for name, child in module.named_children():
        if isinstance(child, _DropoutNd) and "path" not in name:
            child.p = dropout
    for name, value in vars(module).items():
        if _is_dropout(name) and _is_probability(value):
            setattr(module, name, dropout)


def _set_config_dropout(config: PreTrainedConfig, dropout: float) -> None:
    for name, value in list(vars(config).items()):
        if isinstance(value, PreTrainedConfig):
            _set_config_dropout(value, dropout)
        elif _is_dropout(name) and _is_probability(value):
            setattr(config, name, dropout)


def _is_dropout(name: str) -> bool:
    # `drop` alone, `resid_pdrop`, `dropout_prob` and their like.
    return "drop" in name and not any(part in name for part in NOT_DROPOUT)


def _is_probability(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1
