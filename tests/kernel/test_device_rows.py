"""A batch that is gathered on the device is the one that is collated, number for number."""

from functools import partial

import numpy as np
import pytest
import torch

from autoft.data.batch import Batch, collate, to_grid, to_longest
from autoft.data.encoded import Encoded, Ragged
from autoft.kernel import device_rows
from autoft.kernel.batch_source import BatchSource
from autoft.kernel.boundary.states import States
from autoft.kernel.device_rows import DeviceRows, fits

CPU = torch.device("cpu")
LENGTHS = np.array([3, 12, 1, 9, 12, 5, 20])
OFFSETS = np.concatenate([[0], np.cumsum(LENGTHS)])
ROWS = np.array([5, 0, 3, 3])
RANDOM = np.random.default_rng(0)


def ragged(dtype: str, fill: int, lengths: np.ndarray = LENGTHS) -> Ragged:
    values = RANDOM.integers(1, 90, lengths.sum()).astype(dtype)
    return Ragged(values, np.concatenate([[0], np.cumsum(lengths)]), fill)


N = len(LENGTHS)
LABELS = {"labels": np.arange(N, dtype=np.int32) % 3}
CASES = {
    "texts": Encoded({"input_ids": ragged("i4", 7)}, LABELS, LENGTHS),
    "pairs of texts": Encoded(
        {"input_ids": ragged("i4", 1), "token_type_ids": ragged("i1", 0)}, LABELS, LENGTHS
    ),
    "a tag for each token": Encoded({"input_ids": ragged("i4", 0)}, {"labels": ragged("i4", -100)}, LENGTHS),
    "targets of other lengths": Encoded(
        {"input_ids": ragged("u2", 0)}, {"spans": ragged("f8", 0, LENGTHS + 2)}, LENGTHS
    ),
    "pictures": Encoded(
        {"pixel_values": RANDOM.standard_normal((N, 3, 4, 4)).astype(np.float16)},
        {"scaled": RANDOM.standard_normal(N)},
        np.full(N, 16),
    ),
    "texts and numbers": Encoded(
        {"input_ids": ragged("i8", 3), "signal": RANDOM.standard_normal((N, 5)).astype("f4")},
        {"labels": RANDOM.integers(0, 2, (N, 4)).astype("u1")},
        LENGTHS,
    ),
}


def assert_same(found: Batch, expected: Batch) -> None:
    for ours, theirs in ((found.inputs, expected.inputs), (found.targets, expected.targets)):
        assert ours.keys() == theirs.keys()
        for name, tensor in theirs.items():
            assert ours[name].dtype == tensor.dtype
            assert torch.equal(ours[name], tensor)


@pytest.mark.parametrize("padding", [to_longest, partial(to_grid, most=20)])
@pytest.mark.parametrize("name", CASES)
def test_it_equals_the_collated_batch(name, padding):
    assert_same(DeviceRows(CASES[name], CPU).batch(ROWS, padding), collate(CASES[name], ROWS, padding))


def test_on_a_grid_rows_are_filled_up_further_but_not_beyond_the_longest_row_of_all():
    grid = partial(to_grid, most=20)
    for rows, width in (([0, 3], 16), ([2], 8), ([6], 20)):  # lengths 3 and 9; 1; 20
        batch = collate(CASES["a tag for each token"], np.array(rows), grid)
        assert {tensor.shape for tensor in batch.inputs.values()} == {(len(rows), width)}
        assert batch.targets["labels"].shape == (len(rows), width)
        assert batch.inputs["attention_mask"].sum(dim=1).tolist() == LENGTHS[rows].tolist()
        assert (batch.targets["labels"][batch.inputs["attention_mask"] == 0] == -100).all()


def test_states_are_padded_as_their_rows_are():
    flat = torch.arange(LENGTHS.sum() * 2.0).view(-1, 2)
    source = BatchSource(CASES["texts"], np.arange(N), CPU, States(flat, "ragged", OFFSETS, "input_ids"))
    batch = source.batch(np.array([0, 3]), partial(to_grid, most=20))
    assert batch.inputs["input_ids"].shape == (2, 16)
    # Rows 0 and 3 have 3 and 9 tokens, from the first and from the 17th on; then their last ones again.
    expected = [[0, 1] + [2] * 14, [*range(16, 24)] + [24] * 8]
    assert torch.equal(batch.states, flat[torch.tensor(expected)])


def test_rows_go_to_a_gpu_where_they_fit(monkeypatch):
    # 62 tokens of 8 bytes, and 7 labels of 8 bytes.
    gpu = torch.device("cuda", 0)
    for free, expected in ((8 * 69 / device_rows.SHARE, True), (8 * 69 / device_rows.SHARE - 1, False)):
        monkeypatch.setattr(device_rows, "free_gpu_memory", lambda device, free=free: free)
        assert fits(CASES["texts"], gpu) is expected
    assert not fits(CASES["texts"], CPU)


@pytest.mark.gpu
@pytest.mark.parametrize("name", CASES)
def test_on_a_gpu_a_split_s_batches_are_the_same_gathered_and_collated(name, monkeypatch):
    gpu, chosen = torch.device("cuda", 0), np.array([6, 1, 4, 0, 2])
    for share in (1.0, 0.0):
        monkeypatch.setattr(device_rows, "SHARE", share)
        batch = BatchSource(CASES[name], chosen, gpu).batch(np.array([3, 0]))
        assert all(tensor.device.type == "cuda" for tensor in batch.inputs.values())
        assert_same(batch.to(CPU), collate(CASES[name], chosen[[3, 0]]))
