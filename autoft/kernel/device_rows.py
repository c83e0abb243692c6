"""Encoded rows that live on a device: a batch is gathered there, padding included.

All that goes there for a batch is an index, which the host makes of the rows' offsets.
"""

import numpy as np
import torch

from autoft.data.batch import Batch, Padding, sent, to_longest
from autoft.data.encoded import Array, Encoded, Ragged
from autoft.kernel.device import free_gpu_memory

SHARE = 0.1
"""Of a GPU's free memory that the rows of one split may take; more stay with the host."""


class DeviceRows:
    """Gives the batches that `data.batch.collate` gives, number for number."""

    def __init__(self, encoded: Encoded, device: torch.device) -> None:
        offsets: list[np.ndarray] = []  # arrays of the same lengths share an index
        self._inputs, self._targets = (
            {name: _Placed(array, device, offsets) for name, array in arrays.items()}
            for arrays in (encoded.inputs, encoded.targets)
        )
        self._ragged = next((each for each in self._inputs.values() if each.ragged), None)
        self._device = device

    def batch(self, rows: np.ndarray, padding: Padding = to_longest) -> Batch:
        """The rows at `rows` [b], as `collate` has them."""
        at: dict[int | None, torch.Tensor] = {None: sent(torch.from_numpy(rows), self._device)}
        inputs, targets = (
            {name: each.gathered(self._index(each, rows, padding, at)) for name, each in placed.items()}
            for placed in (self._inputs, self._targets)
        )
        if self._ragged is not None:  # such inputs all have the lengths of the rows
            index = self._index(self._ragged, rows, padding, at)
            inputs["attention_mask"] = (index < len(self._ragged.flat) - 1).long()
        return Batch(inputs, targets)

    def _index(
        self, placed: "_Placed", rows: np.ndarray, padding: Padding, at: dict[int | None, torch.Tensor]
    ) -> torch.Tensor:
        """Where the batch's numbers stand in `placed.flat`; `at` holds what was found before."""
        if placed.ragged is not None and placed.shares not in at:
            places = placed.ragged.places(rows, padding(placed.ragged.longest(rows)))
            at[placed.shares] = sent(torch.from_numpy(places), self._device)
        return at[placed.shares]


class _Placed:
    """One array on the device: whole numbers as a batch has them, others as they are stored."""

    def __init__(self, array: Array, device: torch.device, offsets: list[np.ndarray]) -> None:
        self.ragged = array if isinstance(array, Ragged) else None
        self.shares: int | None = None
        """Which of `offsets` are those of the array."""
        if isinstance(array, Ragged):
            same = (i for i, known in enumerate(offsets) if np.array_equal(known, array.offsets))
            self.shares = next(same, len(offsets))
            offsets += [array.offsets] * (self.shares == len(offsets))
            array = np.append(array.values, np.array([array.fill], array.values.dtype))
        kind = np.int64 if array.dtype.kind in "iub" else (np.float16 if array.dtype == "f2" else np.float32)
        self.flat = torch.from_numpy(array.astype(kind)).to(device)

    def gathered(self, index: torch.Tensor) -> torch.Tensor:
        """The numbers at `index` [b], or of ragged rows [b, width]."""
        chosen = self.flat.index_select(0, index.flatten())
        chosen = chosen.view(index.shape) if self.ragged is not None else chosen
        return chosen.float() if chosen.is_floating_point() else chosen


def fits(encoded: Encoded, device: torch.device) -> bool:
    """Whether rows belong on the device: those of a CPU are where they are."""
    arrays = (*encoded.inputs.values(), *encoded.targets.values())
    values = [array.values if isinstance(array, Ragged) else array for array in arrays]
    size = sum(each.size * (8 if each.dtype.kind in "iub" else 4) for each in values)
    return device.type == "cuda" and size <= SHARE * free_gpu_memory(device)
