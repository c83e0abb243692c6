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


LENGTHS = np.random.default_rng(5).integers(3, 60, size=1000)


def test_an_epoch_visits_every_row_once_in_an_order_of_seed_and_epoch():
    batches = train_batches(LENGTHS, 32, seed=1, epoch=0)
    assert sorted(len(batch) for batch in batches) == [1000 % 32] + [32] * 31
    order = np.concatenate(batches)
    assert sorted(order) == list(range(1000))
    assert (order == np.concatenate(train_batches(LENGTHS, 32, seed=1, epoch=0))).all()
    assert (order != np.concatenate(train_batches(LENGTHS, 32, seed=1, epoch=1))).any()
    assert (order != np.concatenate(train_batches(LENGTHS, 32, seed=2, epoch=0))).any()


def test_rows_of_a_batch_are_of_like_length():
    def padded(batches):
        return sum(len(batch) * LENGTHS[batch].max() for batch in batches)

    shuffled = np.random.default_rng(1).permutation(1000)
    at_random = [shuffled[start : start + 32] for start in range(0, 1000, 32)]
    bucketed = train_batches(LENGTHS, 32, seed=1, epoch=0)
    # 1000 rows are one pool: 31 full batches over 57 lengths, so about 2 lengths a batch.
    assert padded(bucketed) < 1.05 * LENGTHS.sum()
    assert padded(at_random) > 1.7 * LENGTHS.sum()


def test_batches_stay_random():
    first, second = (train_batches(LENGTHS, 8, seed=1, epoch=epoch) for epoch in (0, 1))
    # Short batches come no sooner than long ones,
    places = np.arange(len(first))
    assert abs(np.corrcoef(places, [LENGTHS[batch].mean() for batch in first])[0, 1]) < 0.3
    # the short last one of a pool comes anywhere,
    ends = {[len(b) for b in train_batches(LENGTHS[:99], 8, 1, epoch)].index(3) for epoch in range(20)}
    assert len(ends) > 5
    # and rows that meet in one epoch mostly do not in the next.
    mates = {frozenset((a, b)) for batch in first for a in batch for b in batch if a != b}
    again = {frozenset((a, b)) for batch in second for a in batch for b in batch if a != b}
    assert len(mates & again) < 0.2 * len(mates)


def test_rows_of_one_length_are_merely_shuffled():
    batches = train_batches(np.full(10, 7), 4, seed=1, epoch=0)
    assert sorted(map(len, batches)) == [2, 4, 4]
    assert sorted(np.concatenate(batches)) == list(range(10))


def test_evaluation_goes_from_short_to_long():
    batches = evaluation_batches(np.array([9, 2, 5, 2]), 15)
    assert [batch.tolist() for batch in batches] == [[1, 3, 2], [0]]


def test_evaluation_counts_tokens_with_their_padding():
    batches = evaluation_batches(LENGTHS, 128)
    assert sorted(np.concatenate(batches)) == list(range(1000))
    assert all(len(batch) * LENGTHS[batch].max() <= 128 for batch in batches)
    # No batch could have taken the next row as well,
    following = [LENGTHS[batch].min() for batch in batches[1:]]
    full = zip(batches[:-1], following, strict=True)
    assert all((len(batch) + 1) * longest > 128 for batch, longest in full)
    # and a row that is too long for any batch is not lost.
    assert [batch.tolist() for batch in evaluation_batches(np.array([3, 200, 2, 300]), 128)] == [
        [2, 0],
        [1],
        [3],
    ]
