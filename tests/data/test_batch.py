import numpy as np
import torch

from autoft.data.batch import collate, evaluation_batches, train_batches
from autoft.data.encode import Tokens


def tokens(with_types):
    return Tokens(
        ids=np.array([5, 6, 7, 8, 9, 4], np.int32),
        offsets=np.array([0, 1, 4, 6]),
        token_type_ids=np.array([0, 0, 1, 1, 0, 1], np.int8) if with_types else None,
        labels=np.array([2, 0, 1], np.int32),
    )


def test_rows_are_padded_on_the_right_to_the_longest_of_the_batch():
    batch = collate(tokens(True), np.array([2, 0]), pad_id=99)
    assert batch["input_ids"].tolist() == [[9, 4], [5, 99]]
    assert batch["attention_mask"].tolist() == [[1, 1], [1, 0]]
    assert batch["token_type_ids"].tolist() == [[0, 1], [0, 0]]
    assert batch["labels"].tolist() == [1, 2]
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}


def test_no_token_types_where_the_tokeniser_makes_none():
    assert set(collate(tokens(False), np.array([1]), pad_id=0)) == {"input_ids", "attention_mask", "labels"}


def test_an_epoch_visits_every_row_once_in_an_order_of_seed_and_epoch():
    batches = train_batches(10, 4, seed=1, epoch=0)
    assert [len(batch) for batch in batches] == [4, 4, 2]
    order = np.concatenate(batches)
    assert sorted(order) == list(range(10))
    assert (order == np.concatenate(train_batches(10, 4, seed=1, epoch=0))).all()
    assert (order != np.concatenate(train_batches(10, 4, seed=1, epoch=1))).any()
    assert (order != np.concatenate(train_batches(10, 4, seed=2, epoch=0))).any()


def test_evaluation_goes_from_short_to_long():
    batches = evaluation_batches(np.array([9, 2, 5, 2]), 3)
    assert [batch.tolist() for batch in batches] == [[1, 3, 2], [0]]
