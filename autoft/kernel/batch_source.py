"""Rows on their way into a model: tokens alone, or with the states that stand in for a frozen prefix."""

import numpy as np
import torch

from autoft.data.batch import collate, evaluation_batches
from autoft.data.encode import Tokens
from autoft.kernel.boundary.states import States, narrowed, vectors
from autoft.kernel.device import FORWARD_TOKENS

EVALUATION_VECTORS = 2048
"""Rows of a forward pass without gradients where a row is one token."""

Batch = dict[str, torch.Tensor]


class BatchSource:
    """A split's rows, for one device and one boundary.

    `lengths` [rows] are those of the whole rows, also where only one token of each is read: whether states
    are stored does not change which rows make a batch. `padded_lengths` [rows] are of what is computed, and
    decide which of them are computed together.
    """

    def __init__(
        self, tokens: Tokens, pad_id: int, device: torch.device, states: States | None = None
    ) -> None:
        self.states, self.device, self.pad_id = states, device, pad_id
        self.tokens = tokens if states is None else narrowed(tokens, states.reads)
        self.labels, self.lengths = tokens.labels, tokens.lengths
        # Rows of one token need no padding: a batch of them is a choice from all of them.
        self._vectors = states is not None and states.reads != "all"
        self.padded_lengths = np.ones_like(self.lengths) if self._vectors else self.lengths
        self._whole = self._on_device(vectors(self.tokens, pad_id)) if self._vectors else {}
        self._evaluation: list[tuple[np.ndarray, Batch]] = []
        self._most = EVALUATION_VECTORS if self._vectors else FORWARD_TOKENS[device.type]
        self._forward = self._most

    def batch(self, rows: np.ndarray) -> Batch:
        """The model's inputs for `rows` [b], `labels`, and `states` where a prefix is frozen and stored."""
        return self.with_states(self._inputs(rows), rows)

    def evaluation(self) -> list[tuple[np.ndarray, Batch]]:
        """All rows with their batches, in one order for good; the states come by `with_states`."""
        if not self._evaluation:
            batches = evaluation_batches(self.padded_lengths, self._forward)
            self._evaluation = [(rows, self._inputs(rows)) for rows in batches]
        return self._evaluation

    def renew(self) -> None:
        """For the next trial: how its rows are evaluated must not depend on what ran before it (rule 8)."""
        if self._forward != self._most:
            self._forward, self._evaluation = self._most, []

    def halve_evaluation(self) -> bool:
        """Smaller batches until `renew`, where memory is short; False where each has one row already."""
        largest = max(len(rows) for rows, _ in self._evaluation)
        self._forward //= 2
        self._evaluation = []
        return largest > 1

    def _inputs(self, rows: np.ndarray) -> Batch:
        if not self._vectors:
            return self._on_device(collate(self.tokens, rows, self.pad_id))
        places = torch.from_numpy(rows).to(self.device)
        return {name: tensor.index_select(0, places) for name, tensor in self._whole.items()}

    def with_states(self, inputs: Batch, rows: np.ndarray) -> Batch:
        """The inputs of `rows`, and their states."""
        return inputs if self.states is None else {**inputs, "states": self.states.of(rows, self.device)}

    def _on_device(self, batch: Batch) -> Batch:
        return {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}
