"""Rows are the same however they are written, and only new leaks count."""

import pyarrow as pa
import pytest

from autoft.data.alike import normalized
from autoft.data.overlap import leaked


def table(*texts, **more):
    return pa.table({"input_0": list(texts), **more, "label": [0] * len(texts)})


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
