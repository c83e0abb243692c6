"""The order of the rows in the handwritten peers: which ones meet in a batch, and when."""

import numpy as np

CHUNK_BATCHES = 50
"""Batches whose rows are sorted by length together: what transformers' `group_by_length` has at most."""


def bucketed_batches(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """All rows in batches of similar length, in an order that depends on seed and epoch only.

    The rows are permuted and cut into chunks of `CHUNK_BATCHES` batches; each chunk is sorted by length and
    cut into batches, and the batches of all chunks are shuffled. The sort is stable, so that among rows of
    one length the permutation decides who meets whom.
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    chunk_rows = CHUNK_BATCHES * batch_size
    batches = []
    for start in range(0, len(order), chunk_rows):
        chunk = order[start : start + chunk_rows]
        batches += _cut(chunk[np.argsort(lengths[chunk], kind="stable")], batch_size)
    return [batches[place] for place in random.permutation(len(batches))]


def random_batches(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """All rows in any order, in batches."""
    return _cut(np.random.default_rng([seed, epoch]).permutation(len(lengths)), batch_size)


def sorted_batches(lengths: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """All rows, shortest first: for evaluation, where the order changes nothing."""
    return _cut(np.argsort(lengths, kind="stable"), batch_size)


def _cut(order: np.ndarray, batch_size: int) -> list[np.ndarray]:
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
