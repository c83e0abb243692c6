"""Encoded rows to tensors: which rows make a batch, and how a batch is padded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from autoft.data.encoded import Array, Encoded, Ragged


@dataclass(frozen=True)
class Batch:
    """b rows as tensors, [b, ...] each."""

    inputs: Mapping[str, torch.Tensor]
    """By the name of the model's argument."""
    targets: Mapping[str, torch.Tensor]
    """By the task's own names."""
    states: torch.Tensor | None = None
    """What stands in for a frozen prefix, where its hidden states are stored."""

    def to(self, device: torch.device) -> "Batch":
        """Inputs and targets on `device`; states come there by themselves."""
        inputs, targets = (
            {name: sent(tensor, device) for name, tensor in tensors.items()}
            for tensors in (self.inputs, self.targets)
        )
        return Batch(inputs, targets, self.states)


def sent(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """`tensor` on `device`. Nothing waits for a GPU: it copies from pinned memory when it comes to it."""
    if device.type != "cuda" or tensor.device.type == "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


Padding = Callable[[int], int]
"""From the length of the longest row in a batch to how far all are padded."""


def to_longest(longest: int) -> int:
    """No further."""
    return longest


def to_grid(longest: int, most: int) -> int:
    """To one of few lengths, but not beyond `most`, the longest row of all.

    Multiples of 8 up to 64, then four between each power of two and the next: 20 lengths up to 512, and less
    than a quarter more than the longest row from 32 on.

    >>> [to_grid(longest, 400) for longest in (3, 9, 64, 65, 200, 390, 400)]
    [8, 16, 64, 80, 224, 400, 400]
    """
    grain = 1 << max(3, (longest - 1).bit_length() - 3)
    return max(longest, min(-(-longest // grain) * grain, most))


POOL_BATCHES = 50
"""Of rows that are sorted together: more pad less, fewer mix more."""
LENGTHS = 2
"""Groups of rows of like length in a batch: with more, it is more like a random one and pads more."""


def collate(encoded: Encoded, rows: np.ndarray, padding: Padding = to_longest) -> Batch:
    """The rows at `rows` [b], on the CPU.

    Ragged arrays are padded on the right to the longest row, or as far as `padding` says; if there is one
    among the inputs, so is an `attention_mask`. Whole numbers become int64, others float32.
    """
    inputs, targets = (
        {name: _tensor(array, rows, padding) for name, array in arrays.items()}
        for arrays in (encoded.inputs, encoded.targets)
    )
    if any(isinstance(array, Ragged) for array in encoded.inputs.values()):
        lengths = encoded.lengths[rows]
        mask = np.arange(padding(int(lengths.max()))) < lengths[:, None]
        inputs["attention_mask"] = torch.from_numpy(mask.astype(np.int64))
    return Batch(inputs, targets)


def _tensor(array: Array, rows: np.ndarray, padding: Padding) -> torch.Tensor:
    chosen = array.padded(rows, padding(array.longest(rows))) if isinstance(array, Ragged) else array[rows]
    return torch.from_numpy(chosen.astype(np.int64 if chosen.dtype.kind in "iub" else np.float32))


def random_batches(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """All rows in batches drawn at random; arguments and result as `batches_by_length`. Only the last one
    may be smaller."""
    order = np.random.default_rng([seed, epoch]).permutation(len(lengths))
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def batches_by_length(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """All rows in batches of a few lengths, in an order that depends on seed and epoch only.

    How the order is drawn: the rows are permuted, and what does not fill a batch is put aside as a run of
    its own. The rest is cut into pools of POOL_BATCHES batches; each pool is sorted by length (rows of one
    length stay in permuted order) and cut into runs of `batch_size` rows, and each run into LENGTHS parts.
    Then every batch takes a first part, a second one and so on, each from a run drawn from all. So a batch is
    a few groups of rows that are neighbors by length; chance alone says which groups meet. Every row comes
    once an epoch.

    Why not whole runs: what rows of one length have in common would pull every step its own way, and rows
    would meet the same ones more often; results were worse (experiments/LOG.md). Where batches are computed
    in `pieces`, several groups cost hardly more padding than one.

    Args:
        lengths: tokens of each row [n].
        batch_size: rows of a batch.
        seed: the trial's.
        epoch: from 0.

    Returns:
        int64 arrays [1 to batch_size], ceil(n / batch_size) of them; a few are smaller where the rows do not
        come out even.
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    order, rest = np.split(order, [len(order) - len(order) % batch_size])
    runs = [rest[np.argsort(lengths[rest], kind="stable")]] if len(rest) else []
    for start in range(0, len(order), POOL_BATCHES * batch_size):
        pool = order[start : start + POOL_BATCHES * batch_size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        runs += [pool[first : first + batch_size] for first in range(0, len(pool), batch_size)]
    cuts = [part * batch_size // LENGTHS for part in range(LENGTHS + 1)]
    parts = [[runs[i][start:end] for i in random.permutation(len(runs))] for start, end in pairwise(cuts)]
    return [np.concatenate(groups) for groups in zip(*parts, strict=True)]


DRAWS: Mapping[str, Callable[[np.ndarray, int, int, int], list[np.ndarray]]] = {
    "random": random_batches,
    "by_length": batches_by_length,
}
"""By the value of the hyperparameter `batching`."""


def pieces(lengths: np.ndarray, piece_tokens: float) -> list[np.ndarray]:
    """A batch's rows in groups of like length, each to be padded to its own longest row.

    Of all ways to cut the rows in the order of their lengths, the one with the fewest tokens, padding and
    `piece_tokens` for each group included (dynamic programming over the distinct lengths).

    Args:
        lengths: tokens of each row [b].
        piece_tokens: what a group costs beside its tokens, in tokens; infinite keeps the rows together.

    Returns:
        int64 indices into `lengths`, groups of short rows first; together each of them once.
    """
    if piece_tokens == np.inf or (lengths == lengths[0]).all():
        return [np.arange(len(lengths))]
    order = np.argsort(lengths, kind="stable")
    distinct, counts = np.unique(lengths, return_counts=True)
    ends = np.concatenate([[0], np.cumsum(counts)])
    least = np.zeros(len(ends))  # tokens of the best cut of the rows before ends[j]
    began = np.zeros(len(ends), int)  # and where its last group begins
    for j in range(1, len(ends)):
        tokens = least[:j] + (ends[j] - ends[:j]) * distinct[j - 1] + piece_tokens
        began[j] = np.argmin(tokens)
        least[j] = tokens[began[j]]
    cut = [len(distinct)]
    while cut[-1]:
        cut.append(int(began[cut[-1]]))
    return np.split(order, ends[cut[-2:0:-1]])


def evaluation_batches(lengths: np.ndarray, tokens: int) -> list[np.ndarray]:
    """All rows, shortest first, in batches of at most `tokens` with their padding; a longer row is alone.

    Counting tokens and not rows keeps the few long rows from padding many others. Gives int64 arrays.
    """
    order = np.argsort(lengths, kind="stable")
    batches = []
    start = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or (end + 1 - start) * lengths[order[end]] > tokens:
            batches.append(order[start:end])
            start = end
    return batches
