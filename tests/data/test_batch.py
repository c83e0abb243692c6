from itertools import combinations

import numpy as np
import pytest
import torch

from autoft.data.batch import DRAWS, batches_by_length, collate, evaluation_batches, pieces
from autoft.data.encoded import Encoded, Ragged


def tokens(with_types):
    offsets = np.array([0, 1, 4, 6])
    inputs = {"input_ids": Ragged(np.array([5, 6, 7, 8, 9, 4], np.int32), offsets, fill=99)}
    if with_types:
        inputs["token_type_ids"] = Ragged(np.array([0, 0, 1, 1, 0, 1], np.int8), offsets)
    return Encoded(inputs, {"labels": np.array([2, 0, 1], np.int32)}, np.diff(offsets))


def test_rows_are_padded_on_the_right_to_the_longest_of_the_batch():
    batch = collate(tokens(True), np.array([2, 0]))
    assert batch.inputs["input_ids"].tolist() == [[9, 4], [5, 99]]
    assert batch.inputs["attention_mask"].tolist() == [[1, 1], [1, 0]]
    assert batch.inputs["token_type_ids"].tolist() == [[0, 1], [0, 0]]
    assert batch.targets["labels"].tolist() == [1, 2]
    assert {tensor.dtype for tensor in (*batch.inputs.values(), *batch.targets.values())} == {torch.int64}


def test_whole_numbers_become_int64_and_all_others_float32():
    arrays = {"ids": np.zeros((3, 2), np.uint8), "pixels": np.full((3, 2), 0.5, np.float16)}
    batch = collate(Encoded(arrays, {}, np.ones(3, np.int64)), np.array([2, 0]))
    assert {name: each.dtype for name, each in batch.inputs.items()} == {
        "ids": torch.int64,
        "pixels": torch.float32,
    }
    assert batch.inputs["pixels"].tolist() == [[0.5, 0.5]] * 2


def test_no_token_types_where_the_tokenizer_makes_none():
    assert set(collate(tokens(False), np.array([1])).inputs) == {"input_ids", "attention_mask"}


LENGTHS = np.random.default_rng(5).integers(3, 60, size=1000)


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_an_epoch_visits_every_row_once_in_an_order_of_seed_and_epoch(draw):
    batches = draw(LENGTHS, 32, seed=1, epoch=0)
    assert len(batches) == 32  # 31 full ones and 8 rows
    assert sorted(len(batch) for batch in batches)[2:] == [32] * 30
    # Those 8 rows are any, not the longest or shortest of all.
    odd = [min(draw(LENGTHS[:101], 100, 1, epoch), key=len) for epoch in range(40)]
    assert len({int(batch[0]) for batch in odd if len(batch) == 1}) > 5
    order = np.concatenate(batches)
    assert sorted(order) == list(range(1000))
    assert (order == np.concatenate(draw(LENGTHS, 32, seed=1, epoch=0))).all()
    assert (order != np.concatenate(draw(LENGTHS, 32, seed=1, epoch=1))).any()
    assert (order != np.concatenate(draw(LENGTHS, 32, seed=2, epoch=0))).any()


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
@pytest.mark.parametrize("batch_size", [1, 2, 5, 8, 99, 100, 128])
def test_an_epoch_has_as_many_batches_as_the_rows_fill(draw, batch_size):
    for epoch in range(5):
        batches = draw(LENGTHS[:99], batch_size, 1, epoch)
        assert len(batches) == -(-99 // batch_size)
        assert {len(batch) for batch in batches} <= set(range(1, batch_size + 1))
        assert sorted(np.concatenate(batches)) == list(range(99))


def test_a_batch_has_two_groups_of_like_length():
    def padded(groups):
        return sum(len(group) * LENGTHS[group].max() for group in groups)

    whole = [batch for batch in batches_by_length(LENGTHS, 32, 1, 0) if len(batch) == 32]
    groups = [group for batch in whole for group in (batch[:16], batch[16:])]
    rows = np.concatenate(whole)
    at_random = [rows[start : start + 16] for start in range(0, 960, 16)]
    # 1000 rows are one pool: 62 groups over 57 lengths, so mostly one or two lengths a group.
    assert padded(groups) < 1.05 * LENGTHS[rows].sum()
    assert padded(np.random.default_rng(1).permuted(np.array(at_random))) > 1.7 * LENGTHS[rows].sum()


def test_batches_stay_random():
    first, second = (batches_by_length(LENGTHS, 8, seed=1, epoch=epoch) for epoch in (0, 1))
    # Short batches come no sooner than long ones,
    places = np.arange(len(first))
    assert abs(np.corrcoef(places, [LENGTHS[batch].mean() for batch in first])[0, 1]) < 0.3
    # a group says nothing of the other one,
    full = [batch for batch in first if len(batch) == 8]
    ends = [LENGTHS[batch[:4]].mean() for batch in full], [LENGTHS[batch[4:]].mean() for batch in full]
    assert abs(np.corrcoef(*ends)[0, 1]) < 0.3
    # smaller batches come anywhere,
    smallest = {int(np.argmin([len(b) for b in batches_by_length(LENGTHS[:99], 8, 1, i)])) for i in range(20)}
    assert len(smallest) > 5
    # and rows that meet in one epoch mostly do not in the next.
    mates = {frozenset((a, b)) for batch in first for a in batch for b in batch if a != b}
    again = {frozenset((a, b)) for batch in second for a in batch for b in batch if a != b}
    assert len(mates & again) < 0.1 * len(mates)


def test_rows_of_one_length_are_merely_shuffled():
    batches = batches_by_length(np.full(10, 7), 4, seed=1, epoch=0)
    assert sorted(map(len, batches)) == [2, 4, 4]
    assert sorted(np.concatenate(batches)) == list(range(10))


def test_a_batch_falls_into_pieces_where_padding_costs_more_than_a_piece():
    lengths = np.array([9, 30, 8, 31, 9])
    # Together 5 x 31 = 155 tokens; in two 3 x 9 + 2 x 31 = 89, and one piece more.
    assert [piece.tolist() for piece in pieces(lengths, 65)] == [[2, 0, 4], [1, 3]]
    assert [piece.tolist() for piece in pieces(lengths, 67)] == [[2, 0, 4, 1, 3]]
    assert [piece.tolist() for piece in pieces(lengths, 0)] == [[2], [0, 4], [1], [3]]
    assert [piece.tolist() for piece in pieces(lengths, np.inf)] == [[0, 1, 2, 3, 4]]
    assert [piece.tolist() for piece in pieces(np.array([7, 7]), 0)] == [[0, 1]]


@pytest.mark.parametrize("piece_tokens", [3.0, 20.0])
def test_no_other_pieces_have_fewer_tokens(piece_tokens):
    random = np.random.default_rng(3)
    for _ in range(20):
        lengths = random.integers(3, 30, size=7)
        found = pieces(lengths, piece_tokens)
        assert sorted(np.concatenate(found)) == list(range(7))
        cuts = [cut for count in range(7) for cut in combinations(range(1, 7), count)]
        ways = [np.split(np.sort(lengths), cut) for cut in cuts]
        assert cost([lengths[piece] for piece in found], piece_tokens) == min(
            cost(way, piece_tokens) for way in ways
        )


def cost(parts, piece_tokens):
    return sum(len(part) * part.max() + piece_tokens for part in parts)


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
