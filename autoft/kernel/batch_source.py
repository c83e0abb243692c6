"""Rows on their way into a model: as they are, or with the states that stand in for a frozen prefix."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch

from autoft.data.batch import Batch, Padding, collate, evaluation_batches, to_longest
from autoft.data.encoded import Array, Encoded, taken
from autoft.kernel.boundary.plan import VECTORS
from autoft.kernel.boundary.states import States, lone, narrowed
from autoft.kernel.device import FORWARD_TOKENS
from autoft.kernel.device_rows import DeviceRows, fits

EVALUATION_VECTORS = 2048
"""Rows of a forward pass without gradients where a row is one token."""
KEPT_INPUTS = 256 * 2**20
"""Bytes of inputs that stay on the device from one evaluation to the next: all of most texts. Images of
thousands of rows, which would take what training needs, are made anew."""


class BatchSource:
    """Some of the rows, for one device and one boundary. Its own rows are numbered from 0.

    `lengths` [n] are those of the whole rows, also where only one token of each is read: whether states are
    stored does not change which rows make a batch. `padded_lengths` [n] are of what is computed, and decide
    which of them are computed together.
    """

    def __init__(
        self, encoded: Encoded, chosen: np.ndarray, device: torch.device, states: States | None = None
    ) -> None:
        """`chosen` [n] are the rows of `encoded`; `states` are of all of its rows."""
        self.states, self.device = states, device
        self._chosen = chosen
        self._encoded = encoded if states is None else narrowed(encoded, states.layout, states.main_input)
        self._lone = {} if states is None else Batch(lone(encoded, states.main_input), {}).to(device).inputs
        self.targets: Mapping[str, Array] = {
            name: taken(array, chosen) for name, array in encoded.targets.items()
        }
        self.lengths = encoded.lengths[chosen]
        vectors = states is not None and states.layout in VECTORS
        self.padded_lengths = np.ones_like(self.lengths) if vectors else self.lengths
        # On a CPU a batch of whole rows is made no slower of the arrays as they are (experiments/LOG.md).
        placed = vectors or fits(self._encoded, device)
        self._placed = DeviceRows(self._encoded.take(chosen), device) if placed else None
        self._evaluated: list[np.ndarray] = []
        self._kept: list[Batch] = []
        self._most = EVALUATION_VECTORS if vectors else FORWARD_TOKENS[device.type]
        self._forward = self._most

    def __len__(self) -> int:
        return len(self._chosen)

    def batch(self, rows: np.ndarray, padding: Padding = to_longest) -> Batch:
        """The batch of `rows` [b], with states where a prefix is frozen and stored."""
        return self.with_states(self._inputs(rows, padding), rows, padding)

    @property
    def evaluated(self) -> list[np.ndarray]:
        """The rows of each batch of an evaluation, in one order for good."""
        if not self._evaluated:
            self._evaluated = evaluation_batches(self.padded_lengths, self._forward)
        return self._evaluated

    def evaluation(self) -> Iterator[tuple[np.ndarray, Batch]]:
        """All rows with their batches; the states come by `with_states`. The first KEPT_INPUTS are kept."""
        room = KEPT_INPUTS
        for place, rows in enumerate(self.evaluated):
            batch = self._kept[place] if place < len(self._kept) else self._inputs(rows)
            room -= sum(tensor.nbytes for tensor in (*batch.inputs.values(), *batch.targets.values()))
            if place == len(self._kept) and room >= 0:
                self._kept.append(batch)
            yield rows, batch

    def renew(self) -> None:
        """For the next trial: how its rows are evaluated must not depend on what ran before it."""
        if self._forward != self._most:
            self._evaluate_by(self._most)

    def halve_evaluation(self) -> bool:
        """Smaller batches until `renew`, where memory is short; False where each has one row already."""
        largest = max(map(len, self.evaluated))
        self._evaluate_by(self._forward // 2)
        return largest > 1

    def _evaluate_by(self, tokens: int) -> None:
        self._forward, self._evaluated, self._kept = tokens, [], []

    def _inputs(self, rows: np.ndarray, padding: Padding = to_longest) -> Batch:
        if self._placed is None:
            batch = collate(self._encoded, self._chosen[rows], padding).to(self.device)
        else:
            batch = self._placed.batch(rows, padding)
        return Batch({**batch.inputs, **self._lone}, batch.targets)

    def with_states(self, batch: Batch, rows: np.ndarray, padding: Padding = to_longest) -> Batch:
        """The batch of `rows` with their states, padded like its inputs."""
        if self.states is None:
            return batch
        return replace(batch, states=self.states.of(self._chosen[rows], self.device, padding))
