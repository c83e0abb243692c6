"""The states of all rows at one boundary, and how they become a batch."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from autoft.data.batch import Batch, collate
from autoft.data.encoded import Encoded, Ragged

Reads = Literal["all", "first", "last"]
"""Which token's states what follows the boundary reads: each one's, or only a row's first or last one's."""


@dataclass(frozen=True, eq=False)
class States:
    """Unpadded, end to end, in the rows' order."""

    flat: torch.Tensor
    """[positions, hidden]: a position for every token, or one for every row."""
    reads: Reads
    offsets: np.ndarray
    """int64 [rows + 1]: row i is flat[offsets[i]:offsets[i + 1]]."""

    def of(self, rows: np.ndarray, device: torch.device) -> torch.Tensor:
        """The states of `rows` [b] as float32 [b, longest, hidden] on `device`.

        What stands where a row has ended is a copy of its last token: masks keep it from being read.
        """
        if self.reads != "all":
            chosen = self.flat.index_select(0, torch.from_numpy(rows).to(self.flat.device))
            return chosen.unsqueeze(1).to(device, torch.float32)
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        columns = np.minimum(np.arange(lengths.max()), (lengths - 1)[:, None])
        places = torch.from_numpy((starts[:, None] + columns).ravel()).to(self.flat.device)
        chosen = self.flat.index_select(0, places).view(len(rows), -1, self.flat.shape[-1])
        return chosen.to(device, torch.float32)


def positions(lengths: np.ndarray, reads: Reads) -> np.ndarray:
    """Where the states of rows with so many tokens lie in a `States`: int64 [rows + 1], from 0."""
    counts = lengths if reads == "all" else np.ones_like(lengths)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def narrowed(encoded: Encoded, reads: Reads) -> Encoded:
    """Rows with only the token that is read; the whole rows where each one is."""
    if reads == "all":
        return encoded
    ends = positions(encoded.lengths, "all")
    places = ends[:-1] if reads == "first" else ends[1:] - 1
    ones = np.ones_like(encoded.lengths)
    inputs = {
        name: Ragged(array.values[places], positions(ones, "all"), array.fill)
        if isinstance(array, Ragged)
        else array
        for name, array in encoded.inputs.items()
    }
    return Encoded(inputs, encoded.targets, ones)


def vectors(encoded: Encoded) -> Batch:
    """All rows of one token each as one batch, without a mask: nothing is padded."""
    batch = collate(encoded, np.arange(len(encoded)))
    inputs = {name: tensor for name, tensor in batch.inputs.items() if name != "attention_mask"}
    return Batch(inputs, batch.targets)


def flattened(states: torch.Tensor, lengths: np.ndarray, reads: Reads) -> torch.Tensor:
    """What is kept of a padded batch: states [b, longest, hidden] to [positions, hidden]."""
    ends = torch.from_numpy(lengths).to(states.device)
    if reads == "all":
        return states[torch.arange(states.shape[1], device=states.device) < ends[:, None]]
    return (
        states[:, 0] if reads == "first" else states[torch.arange(len(ends), device=states.device), ends - 1]
    )
