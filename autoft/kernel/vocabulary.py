"""Where the embeddings are trained, only those of tokens that occur in the rows are moved about.

A token that never occurs has no gradient, so all that AdamW does to its embedding is weight decay: the same
factor for each of them. That is known without carrying tens of thousands of rows, their gradients and their
two moments through every step.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from autoft.data.encoded import Ragged
from autoft.kernel.blocks import Anatomy
from autoft.kernel.boundary.valid import Sample, agree, equal, outputs_and_gradients
from autoft.kernel.freeze import evaluation_mode, set_depth

IDS = ":ids"
"""Behind a table's name in a checkpoint."""


class Occurring(nn.Module):
    """Stands for a table of embeddings [vocabulary, hidden]; has rows for the tokens that occur only."""

    _table: nn.Embedding

    def __init__(self, table: nn.Embedding, ids: torch.Tensor) -> None:
        super().__init__()
        self.__dict__["_table"] = table  # not a child: its parameter is no part of what is trained
        self.ids = ids
        self._places = torch.full((table.num_embeddings,), -1, device=ids.device)
        self._places[ids] = torch.arange(len(ids), device=ids.device)
        self.num_embeddings, self.embedding_dim = table.num_embeddings, table.embedding_dim
        self.padding_idx = table.padding_idx
        known = self.padding_idx is not None and self.padding_idx in ids
        self._padding = int(self._places[self.padding_idx]) if known else None
        self.weight = nn.Parameter(table.weight.new_empty(len(ids) + 1, table.embedding_dim))
        self.renew()

    @torch.no_grad()
    def renew(self) -> None:
        """Gives back the table's rows, in their place."""
        self.weight[:-1] = self._table.weight[self.ids]
        # It is never looked up: what weight decay makes of it, it makes of all others.
        self.weight[-1] = 1
        self.weight.grad = None

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """The embeddings of `ids`, tokens that occur."""
        return functional.embedding(self._places[ids], self.weight, self._padding)

    def narrowed(self, name: str) -> dict[str, torch.Tensor]:
        """The table `name` as a checkpoint holds it: see `widen`."""
        return {f"{name}.weight": self.weight, f"{name}.weight{IDS}": self.ids}


@torch.no_grad()
def widen(
    tensors: Mapping[str, torch.Tensor], pretrained: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """A checkpoint's `tensors`, with the tables of `Occurring` as they would be, had all been trained.

    Such a table is there as the rows of the tokens that occur, and what weight decay makes of a row of ones
    as the last one [occurring + 1, hidden]; and these tokens stand under its name and IDS [occurring]. One
    that does not fit its pretrained table stays as it is.

    Args:
        tensors: from the file, by name.
        pretrained: the tables before training, by name.
    """
    found = {name: tensor for name, tensor in tensors.items() if not name.endswith(IDS)}
    for table in found.keys() & pretrained.keys():
        ids, rows, before = tensors.get(table + IDS), found[table], pretrained[table]
        if ids is not None and _fits(ids, rows, before):
            found[table] = (before * rows[-1]).index_copy_(0, ids, rows[:-1])
    return found


def _fits(ids: torch.Tensor, rows: torch.Tensor, table: torch.Tensor) -> bool:
    shaped = ids.ndim == 1 and len(ids) > 0 and rows.shape == (len(ids) + 1, *table.shape[1:])
    return shaped and ids.dtype == torch.int64 and int(ids.min()) >= 0 and int(ids.max()) < len(table)


def occurring_tokens(model: PreTrainedModel, name: str, ids: Ragged) -> Occurring:
    """The table `name`, from `find_table`, narrowed to the tokens in `ids`, and to padding."""
    table = model.get_submodule(name)
    assert isinstance(table, nn.Embedding)
    # Some architectures pad once more, within themselves.
    own = getattr(model.config, "pad_token_id", None)
    padding = [ids.fill] if own is None else [ids.fill, int(own)]
    counts = np.bincount(ids.values, minlength=table.num_embeddings)
    counts[padding] += 1
    return Occurring(table, torch.from_numpy(np.flatnonzero(counts)).to(table.weight.device))


@contextmanager
def occurring_tokens_only(model: PreTrainedModel, name: str, occurring: Occurring) -> Iterator[None]:
    """Puts `occurring` in place of the table `name` for a while. The table itself stays as it is."""
    table = model.get_submodule(name)
    model.set_submodule(name, occurring)
    try:
        yield
    finally:
        model.set_submodule(name, table)


def find_table(model: PreTrainedModel, anatomy: Anatomy, sample: Sample) -> str | None:
    """The name of the embeddings, where those of tokens that occur are enough; else None.

    A batch is run both ways in float32: the outputs have to be equal bit for bit, and all gradients to agree.

    Args:
        model: left with everything trainable, in evaluation mode.
        anatomy: the model's.
        sample: a few rows.
    """
    name, ids = _lone_table(model), sample.encoded.inputs.get("input_ids")
    if name is None or not isinstance(ids, Ragged):
        return None
    set_depth(model, anatomy, "all", dropout=0.0)
    evaluation_mode(model)
    batch = sample.batch(model.device)
    place = f"{name}.weight"
    plain, gradients = outputs_and_gradients(model, sample, batch, list(model.parameters()))
    whole = dict(zip(dict(model.named_parameters()), gradients, strict=True))
    occurring = occurring_tokens(model, name, ids)
    with occurring_tokens_only(model, name, occurring):
        try:
            few, gradients = outputs_and_gradients(model, sample, batch, list(model.parameters()))
        except Exception:  # it looks up more than the rows' tokens, such as their types
            return None
        found = dict(zip(dict(model.named_parameters()), gradients, strict=True))
    whole[place], found[place] = whole[place][occurring.ids], found[place][:-1]
    same = equal(plain, few) and agree([*plain, *whole.values()], [*few, *(found[each] for each in whole)])
    return name if same else None


def _lone_table(model: PreTrainedModel) -> str | None:
    """The plain table that looks up input ids, if nothing else shares it and no decoder looks up others."""
    try:
        table = model.get_input_embeddings()
    except NotImplementedError:
        return None
    plain = type(table) is nn.Embedding and table.max_norm is None and not table.scale_grad_by_freq
    if not plain or getattr(model.config, "is_encoder_decoder", False):
        return None
    names = [name for name, module in model.named_modules(remove_duplicate=False) if module is table]
    uses = sum(parameter is table.weight for _, parameter in model.named_parameters(remove_duplicate=False))
    return names[0] if len(names) == uses == 1 else None
