"""The states of all rows at one boundary, and how they become a batch."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from autoft.data.batch import Batch, Padding, collate, sent, to_longest
from autoft.data.encoded import Array, Encoded, Ragged
from autoft.kernel.boundary.plan import VECTORS, Layout


@dataclass(frozen=True, eq=False)
class States:
    """Unpadded, end to end, in the rows' order."""

    flat: torch.Tensor
    """[tokens, hidden] of all rows where they are ragged; else [rows, ...], a vector in the form of states of
    one place: [rows, 1, hidden] or [rows, channels, 1, 1]."""
    layout: Layout
    offsets: np.ndarray
    """int64 [rows + 1]: row i is flat[offsets[i]:offsets[i + 1]]."""
    main_input: str
    """What the first blocks take (`PreTrainedModel.main_input_name`), and nothing above the states."""

    def of(self, rows: np.ndarray, device: torch.device, padding: Padding = to_longest) -> torch.Tensor:
        """The states of `rows` [b], float32 on `device`: [b, width, hidden] of ragged ones, else [b, ...].

        What stands where a row has ended is a copy of its last token: masks keep it from being read.
        """
        if self.layout != "ragged":
            return sent(self._at(rows), device).float()
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        columns = np.minimum(np.arange(padding(int(lengths.max()))), (lengths - 1)[:, None])
        chosen = self._at((starts[:, None] + columns).ravel()).view(len(rows), -1, self.flat.shape[-1])
        return sent(chosen, device).float()

    def _at(self, places: np.ndarray) -> torch.Tensor:
        return self.flat.index_select(0, sent(torch.from_numpy(places), self.flat.device))


def positions(lengths: np.ndarray, layout: Layout) -> np.ndarray:
    """Where the states of rows with so many tokens lie in a `States`: int64 [rows + 1], from 0."""
    counts = lengths if layout == "ragged" else np.ones_like(lengths)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def kept(states: torch.Tensor, lengths: np.ndarray, layout: Layout) -> torch.Tensor:
    """What `layout` keeps of a batch's states [b, ...], as it lies in `States.flat`."""
    ends = torch.from_numpy(lengths).to(states.device)
    if layout == "ragged":
        return states[_inside(states, ends)]
    if layout == "fixed":
        return states
    if layout == "mean":
        return _mean(states, ends)
    at = torch.zeros_like(ends) if layout == "first" else ends - 1
    return states[torch.arange(len(ends), device=states.device), at].unsqueeze(1)


def _inside(states: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    return torch.arange(states.shape[1], device=states.device) < ends[:, None]


def _mean(states: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """Over tokens [b, tokens, hidden], without the padding of ragged rows, or places [b, channels, y, x]."""
    if states.ndim == 4:
        return states.mean(dim=(2, 3), keepdim=True)
    if states.shape[1] != int(ends.max()):  # of one shape, whatever the rows' sizes
        return states.mean(dim=1, keepdim=True)
    inside = _inside(states, ends).unsqueeze(-1)
    return (states * inside).sum(dim=1, keepdim=True) / ends[:, None, None]


def narrowed(encoded: Encoded, layout: Layout, main_input: str) -> Encoded:
    """What of the rows is read above stored states; for a vector one token of each, which needs no mask.

    A main input that has one shape for all rows, such as pixels, is left out, see `lone`. Others of one shape
    stay, such as the tokens that a decoder above its encoder's states is given.
    """
    read = {name: array for name, array in encoded.inputs.items() if name not in _unread(encoded, main_input)}
    if layout not in VECTORS:
        return replace(encoded, inputs=read)
    ends = positions(encoded.lengths, "ragged")
    places = ends[1:] - 1 if layout == "last" else ends[:-1]
    inputs: dict[str, Array] = {
        name: array.values[places, None] if isinstance(array, Ragged) else array
        for name, array in read.items()
    }
    return Encoded(inputs, encoded.targets, np.ones_like(encoded.lengths))


def lone(encoded: Encoded, main_input: str) -> Mapping[str, torch.Tensor]:
    """Of a main input that has one shape for all rows the first row, [1, ...].

    Where states are stored nobody reads it, and the model wants something of its shape.
    """
    unread = {name: encoded.inputs[name] for name in _unread(encoded, main_input)}
    return collate(Encoded(unread, {}, encoded.lengths), np.arange(1)).inputs


def _unread(encoded: Encoded, main_input: str) -> set[str]:
    """Masks are made of tokens, so those are read even where their states are stored."""
    return {main_input} if isinstance(encoded.inputs.get(main_input), np.ndarray) else set()


def above(encoded: Encoded, states: States, device: torch.device) -> Batch:
    """All rows as one batch, as the model takes them with stored `states`."""
    short = narrowed(encoded, states.layout, states.main_input)
    batch = collate(short, np.arange(len(short)))
    return Batch({**batch.inputs, **lone(encoded, states.main_input)}, batch.targets).to(device)
