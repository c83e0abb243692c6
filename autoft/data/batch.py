"""Rows of tokens to tensors: which rows make a batch, and how a batch is padded."""

import numpy as np
import torch

from autoft.data.encode import Tokens


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


def train_batches(n: int, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """All n rows in an order that depends on seed and epoch only, in batches; the last may be smaller.

    int64 arrays [<= batch_size].
    """
    order = np.random.default_rng([seed, epoch]).permutation(n)
    return [order[start : start + batch_size] for start in range(0, n, batch_size)]


def evaluation_batches(lengths: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """All rows, shortest first, in batches, so that little is padded; int64 arrays [<= batch_size]."""
    order = np.argsort(lengths, kind="stable")
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
