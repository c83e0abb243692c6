"""The states of a split's rows at one boundary, and how they become a batch."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from autoft.data.batch import collate
from autoft.data.encode import Tokens

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


def positions(tokens: Tokens, reads: Reads) -> np.ndarray:
    """Where each row's states lie in a `States`: int64 [rows + 1], from 0."""
    return tokens.offsets if reads == "all" else np.arange(len(tokens) + 1)


def narrowed(tokens: Tokens, reads: Reads) -> Tokens:
    """Rows with only the token that is read; the whole rows where each one is."""
    if reads == "all":
        return tokens
    places = tokens.offsets[:-1] if reads == "first" else tokens.offsets[1:] - 1
    return Tokens(
        ids=tokens.ids[places],
        offsets=np.arange(len(tokens) + 1),
        token_type_ids=None if tokens.token_type_ids is None else tokens.token_type_ids[places],
        labels=tokens.labels,
    )


def vectors(tokens: Tokens, pad_id: int) -> dict[str, torch.Tensor]:
    """All rows of one token each as one batch, without a mask: nothing is padded."""
    batch = collate(tokens, np.arange(len(tokens)), pad_id)
    del batch["attention_mask"]
    return batch


def flattened(states: torch.Tensor, lengths: np.ndarray, reads: Reads) -> torch.Tensor:
    """What is kept of a padded batch: states [b, longest, hidden] to [positions, hidden]."""
    ends = torch.from_numpy(lengths).to(states.device)
    if reads == "all":
        return states[torch.arange(states.shape[1], device=states.device) < ends[:, None]]
    return (
        states[:, 0] if reads == "first" else states[torch.arange(len(ends), device=states.device), ends - 1]
    )
