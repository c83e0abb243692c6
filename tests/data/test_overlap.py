"""Rows are the same however they are written, and only new leaks count."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest

from autoft.data.alike import normalized
from autoft.data.overlap import leaked, row_digests, texts_of


def table(*texts, **more):
    return pa.table({"input_0": list(texts), **more, "target": [0] * len(texts)})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Where is my card?", "  where IS\tmy\n\ncard? "),
        ("caf\u00e9", "cafe\u0301"),  # composed and decomposed
        ("\ufb01ne", "fine"),  # the ligature
        ("\uff21\uff22", "ab"),  # full width
        ("STRASSE", "stra\u00dfe"),
        ("a\u00a0b", "a b"),  # the space that does not break
    ],
)
def test_what_copies_differ_in_does_not_count(one, other):
    assert normalized(one) == normalized(other)


def test_other_words_and_other_punctuation_are_other_rows():
    assert normalized("where is my card?") != normalized("where is my card")
    assert normalized("ab c") != normalized("a bc")


def test_each_test_row_that_the_earlier_study_saw_is_given_as_it_stands():
    test = table("One", "two", "ONE ", "three")
    assert leaked(test, [], table("one", "four")) == [("One",), ("ONE ",)]
    assert leaked(test, [], table("four")) == []


def test_a_row_that_this_study_trains_on_anyhow_is_no_new_leak():
    test = table("one", "two")
    assert leaked(test, [table("ONE"), table("five")], table("one", "two")) == [("two",)]


def test_a_pair_is_the_same_where_both_columns_are():
    test = table("a", "a", input_1=["x", "y"])
    assert leaked(test, [], table("A", "b", input_1=["Y", "x"])) == [("a", "y")]
    assert leaked(test, [], table("a", "x")) == []  # rows of one text are no pairs


def test_a_row_has_the_number_that_its_normalized_inputs_hash_to():
    digest = hashlib.blake2b(b'["where is my card?"]', digest_size=8).hexdigest()
    found = row_digests(table("  where IS my card? ", "other"))
    assert (found.dtype, found.tolist()[0]) == (np.uint64, int(digest, 16))


def test_rows_have_the_same_number_where_all_their_inputs_are_the_same():
    pairs = row_digests(table("a", "A ", "a", "a x", input_1=["x", "X", "y", ""])).tolist()
    assert pairs[0] == pairs[1]
    assert len(set(pairs)) == 3
    assert not set(pairs) & set(row_digests(table("a", "a x")).tolist())
    assert row_digests(table()).tolist() == []


def test_words_are_the_text_that_they_make():
    words = pa.table({"input_0": [["Where", "is", "it?"], ["a"]], "target": [[0, 0, 0], [1]]})
    assert texts_of(words) == [("Where is it?",), ("a",)]
    assert (row_digests(words) == row_digests(table("where is IT?", "a"))).all()
    assert leaked(words, [], table("WHERE is it?")) == [("Where is it?",)]
    assert texts_of(table("a", input_1=["b"])) == [("a", "b")]
