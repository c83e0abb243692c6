"""What of a split stays on the device."""

import numpy as np
import torch

from autoft.kernel import batch_source
from autoft.kernel.batch_source import BatchSource

from .boundary.test_injection import rows
from .tiny import encoded_images

CPU = torch.device("cpu")


def test_an_evaluation_keeps_what_fits_and_makes_the_rest_anew(monkeypatch):
    encoded = encoded_images(np.random.default_rng(0).standard_normal((200, 3, 8, 8)))
    source = BatchSource(encoded, np.arange(200), CPU)
    assert [len(each) for each in source.evaluated] == [32] * 6 + [8]  # of 16 tokens, 512 at a time
    expected = [(each.tolist(), batch.inputs["pixel_values"]) for each, batch in source.evaluation()]
    # A row takes 768 bytes of pixels and 8 of its label; two batches of 32 fit.
    monkeypatch.setattr(batch_source, "KEPT_INPUTS", 70 * 776)
    source = BatchSource(encoded, np.arange(200), CPU)
    first, again = (list(source.evaluation()) for _ in range(2))
    for (chosen, pixels), (rows_1, one), (rows_2, other) in zip(expected, first, again, strict=True):
        assert chosen == rows_1.tolist() == rows_2.tolist()
        assert torch.equal(one.inputs["pixel_values"], pixels)
        assert torch.equal(other.inputs["pixel_values"], pixels)
    assert [one is other for (_, one), (_, other) in zip(first, again, strict=True)] == [True] * 2 + [
        False
    ] * 5


def test_smaller_batches_are_made_until_the_next_trial():
    source = BatchSource(rows().encoded, np.arange(6), CPU)
    assert [len(each) for each in source.evaluated] == [6]
    for _ in range(4):  # 32 tokens: of lengths 3, 5, 9, 9, 12 and 16
        assert source.halve_evaluation()
    assert [len(each) for each in source.evaluated] == [3, 2, 1]
    assert [len(chosen) for chosen, _ in source.evaluation()] == [3, 2, 1]
    source.renew()
    assert [len(each) for each in source.evaluated] == [6]
