import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from autoft.data.values import as_text, class_names, list_column, natural_order, text_column
from autoft.errors import DataError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("007", "007"),
        (" kept ", " kept "),
        (True, "True"),
        (np.bool_(False), "False"),
        (3, "3"),
        (3.0, "3"),  # an integer column in which a value is missing
        (np.float32(2.0), "2"),
        (2.5, "2.5"),
        (-0.0, "0"),
        (2**80, str(2**80)),
        (1e300, "1e+300"),
        (Decimal("1.50"), "1.50"),
        (datetime.date(2024, 2, 29), "2024-02-29"),
        ("NA", "NA"),  # a country, not a missing value
    ],
)
def test_a_value_has_one_name_whatever_its_type(value, text):
    assert as_text(value) == text


@pytest.mark.parametrize("value", [None, float("nan"), np.nan, pd.NA, pd.NaT, "", " \t\n", "\u00a0"])
def test_missing_and_blank_cells_are_empty(value):
    assert as_text(value) is None


@pytest.mark.parametrize(
    ("value", "what"),
    [(["a"], "holds a list"), ({"a": 1}, "a dict"), (b"a", "a bytes"), ("\ud800", "lone surrogate")],
)
def test_what_is_not_one_text_is_refused_with_its_place(value, what):
    with pytest.raises(DataError, match=rf"t\.jsonl: line 9: column `tags` .*{what}"):
        text_column(["x", value], "t.jsonl", "tags", np.array([4, 9]), "line")


def test_class_label_numbers_become_names_and_minus_one_is_unlabeled():
    assert class_names([1, 0, -1, None], ["no", "yes"]) == ["yes", "no", None, None]
    with pytest.raises(DataError, match="label number 2 has no name"):
        class_names([2], ["no", "yes"])


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_class_label_numbers_in_lists_become_names_and_an_unlabeled_one_is_told(kind):
    names = ["O", "B-LOC"]
    assert class_names([kind([1, 0]), None], names) == [["B-LOC", "O"], None]
    named = class_names([kind([0, -1])], names)
    with pytest.raises(DataError, match=r"^t: row 1: column `tags`: element 2 of the list is empty$"):
        list_column(named, "t", "tags", np.array([1]), "row")
    with pytest.raises(DataError, match="label number 7 has no name"):
        class_names([kind([0, 7])], names)


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (["a", " b "], ("a", " b ")),
        (("a",), ("a",)),
        (np.array(["a", "b"]), ("a", "b")),
        (np.array([1.0, 2.5]), ("1", "2.5")),
        ([1, True, 3.0], ("1", "True", "3")),
        ('["a", "b"]', ("a", "b")),
        (' [1, "007"]\n', ("1", "007")),
        ([], ()),
        ("[]", ()),
        (np.array([]), ()),
        *[(empty, None) for empty in (None, float("nan"), pd.NA, "", " \t", "null")],
    ],
)
def test_a_list_is_read_from_whatever_holds_it(value, texts):
    assert list_column([value], "t", "tags", np.array([1]), "line") == [texts]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("a, b", r" must be a JSON list such as \[\"a\", \"b\"\], got 'a, b'"),
        ("['a']", " must be a JSON list"),
        ("[" * 100_000, " must be a JSON list"),
        ("3", " must be a list, got 3"),
        ('{"a": 1}', r" must be a list, got \{'a': 1\}"),
        (3, " must be a list, got 3"),
        (True, " must be a list, got True"),
        (b"a", " must be a list, got b'a'"),
        (bytearray(b"a"), " must be a list, got bytearray"),
        ({"a"}, r" must be a list, got \{'a'\}"),
        (["a", None], ": element 2 of the list is empty"),
        (["", "a"], ": element 1 of the list is empty"),
        (["a", float("nan")], ": element 2 of the list is empty"),
        ([["a"]], ": element 1 of the list holds a list; it must be text, a list of single values"),
        (["a", {"b": 1}], ": element 2 of the list holds a dict"),
        (["\ud800"], ": element 1 of the list holds half of a character"),
    ],
)
def test_what_is_no_list_of_texts_is_refused_with_its_place(value, what):
    with pytest.raises(DataError, match=rf"^t\.jsonl: line 9: column `tags`{what}"):
        list_column([["x"], value], "t.jsonl", "tags", np.array([4, 9]), "line")


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        (["10", "9", "-1", "2.5"], ("-1", "2.5", "9", "10")),
        (["topic 10", "Topic 2", "topic 2"], ("Topic 2", "topic 2", "topic 10")),
        (["b", "A", "a", "b"], ("A", "a", "b")),
        (["True", "False"], ("False", "True")),
        (["7", "007"], ("007", "7")),
        (["nan", "3", "inf"], ("3", "inf", "nan")),
        (["x" + "9" * 5000, "x1"], ("x1", "x" + "9" * 5000)),
        ([str(2**70), str(2**70 + 1), "5"], ("5", str(2**70), str(2**70 + 1))),
    ],
)
def test_names_sort_as_a_person_would(names, ordered):
    assert natural_order(names) == ordered
    assert natural_order(reversed(names)) == ordered
