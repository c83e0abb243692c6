"""What a replica answered is the same when it is read back."""

import numpy as np

from autoft.data.encoded import Ragged
from autoft.judge.answers import Answers, load, save


def test_plain_and_ragged_arrays_come_back(tmp_path):
    path, ragged = tmp_path / "answers" / "replica-0001.npz", Ragged(np.arange(5), np.array([0, 2, 5]), -100)
    predictions = {"logits": np.ones((2, 3), np.float32)}
    save(path, Answers(predictions, {"labels": np.array([1, 0]), "tags": ragged}))
    back = load(path)
    assert np.array_equal(back.predictions["logits"], predictions["logits"])
    assert np.array_equal(back.targets["labels"], [1, 0])
    tags = back.targets["tags"]
    assert (tags.values.tolist(), tags.offsets.tolist(), tags.fill) == ([0, 1, 2, 3, 4], [0, 2, 5], -100)


def test_a_missing_or_damaged_file_is_no_answer(tmp_path):
    assert load(tmp_path / "none.npz") is None
    (tmp_path / "half.npz").write_bytes(b"PK\x03\x04half")
    assert load(tmp_path / "half.npz") is None
