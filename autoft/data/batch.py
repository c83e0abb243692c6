"""Rows of tokens to tensors: which rows make a batch, and how a batch is padded."""

import numpy as np
import torch

from autoft.data.encode import Tokens

POOL_BATCHES = 50
"""Batches that are cut from one sorted pool of rows: more pad less, fewer mix more."""


def collate(tokens: Tokens, indices: np.ndarray, pad_id: int) -> dict[str, torch.Tensor]:
    """The rows at `indices` [b], padded on the right to the longest of them.

    Gives int64 tensors on the CPU: `input_ids`, `attention_mask` and, where the tokeniser makes them,
    `token_type_ids`, each [b, longest]; and `labels` [b].
    """
    starts = tokens.offsets[indices]
    lengths = tokens.offsets[np.asarray(indices) + 1] - starts
    columns = np.arange(lengths.max())
    real = columns < lengths[:, None]
    places = (starts[:, None] + columns)[real]

    def padded(flat: np.ndarray, fill: int) -> torch.Tensor:
        grid = np.full(real.shape, fill, np.int64)
        grid[real] = flat[places]
        return torch.from_numpy(grid)

    batch = {
        "input_ids": padded(tokens.ids, pad_id),
        "attention_mask": torch.from_numpy(real.astype(np.int64)),
        "labels": torch.from_numpy(tokens.labels[indices].astype(np.int64)),
    }
    if tokens.token_type_ids is not None:
        batch["token_type_ids"] = padded(tokens.token_type_ids, 0)
    return batch


def train_batches(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """All rows in batches of rows of like length, in an order that depends on seed and epoch only.

    How the order is drawn: the rows are permuted; the permutation is cut into pools of POOL_BATCHES batches;
    each pool is sorted by length (rows of one length stay in permuted order) and cut into batches; the
    batches of all pools are permuted. So a batch holds rows of one pool with neighbouring lengths, every row
    comes once an epoch, and the short batch, if there is one, comes anywhere.

    Args:
        lengths: tokens of each row [n].
        batch_size: rows of a batch.
        seed: the trial's.
        epoch: from 0.

    Returns:
        int64 arrays [<= batch_size], ceil(n / batch_size) of them.
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), POOL_BATCHES * batch_size):
        pool = order[start : start + POOL_BATCHES * batch_size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[first : first + batch_size] for first in range(0, len(pool), batch_size)]
    return [batches[i] for i in random.permutation(len(batches))]


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
