"""Labels that a person would take for one."""

import pandas as pd
import pytest

from autoft.data.alike import alike_labels
from autoft.data.prepare import examine
from autoft.errors import DataError
from autoft.spec.study import DataSpec

from .prepared import RULES


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("true", "True"),
        ("straße", "STRASSE"),
        ("caf\u00e9", "cafe\u0301"),
        ("ＶＩＰ", "VIP"),  # noqa: RUF001
        ("new order", "new  order"),
        ("new order", "new\u00a0order"),
        ("refund", "re\u200bfund"),
        ("refund", "refund\ufeff"),
        ("heart \u2764", "heart \u2764\ufe0f"),
        ("a\u00adb", "ab"),
        ("refund", "r\u0435fund"),  # Cyrillic
        ("OK", "\u041e\u041a"),  # all of it
        ("Zo\u00eb", "Zo\u0451"),
        ("tokyo", "t\u03bfky\u03bf"),  # Greek
        ("KPI", "\u039a\u03a1\u0399"),
        ("Refund", "r\u0435\u200bfund"),
        ("\u0412\u0415\u0421", "\u0432\u0435\u0441"),  # one alphabet, two cases
    ],
)
def test_labels_that_differ_only_in_what_hardly_shows_are_named_with_their_rows(one, other):
    said = str(*alike_labels("queue", {one: 7, other: 3, "else": 5}))
    assert " in 7 rows and " in said and " in 3 rows). If they mean the same" in said
    assert "else" not in said
    assert f"{other!a}: " in said or f"{other!r}: " in said  # the rarer one is to become the other


def test_what_an_eye_cannot_see_is_escaped_and_the_plain_spelling_is_proposed():
    said = str(*alike_labels("queue", {"cafe\u0301": 4, "caf\u00e9": 4, "re\u200bfund": 9, "refund": 1}))
    assert r"'café' in 4 rows and 'cafe\u0301' in 4 rows" in said
    assert r"""frame["queue"].replace({'refund': 're\u200bfund', 'cafe\u0301': 'café'})""" in said


def test_of_two_alphabets_the_letters_are_escaped_and_of_one_they_are_not():
    said = str(
        *alike_labels(
            "queue", {"refund": 9, "r\u0435fund": 1, "\u0432\u0435\u0441": 2, "\u0412\u0435\u0441": 3}
        )
    )
    assert r"'refund' in 9 rows and 'r\u0435fund' in 1 row" in said
    assert "'\u0412\u0435\u0441' in 3 rows and '\u0432\u0435\u0441' in 2 rows" in said
    assert r"""{'r\u0435fund': 'refund', """ in said


def test_labels_that_differ_to_the_eye_are_nothing_to_tell():
    assert alike_labels("unit", {"\u00b5g": 3, "mg": 4, "\u03b7": 1, "h": 1, "n": 1}) == []
    assert alike_labels("queue", {"a": 1, "b": 2, "a b": 3, "a-b": 4, "ab": 5, "ä": 6}) == []


@pytest.mark.parametrize("typed", ["refnd", "refundd", "refunt", "refudn", "Refumd"])
def test_a_rare_label_that_is_one_letter_from_a_frequent_one_is_told(typed):
    (found,) = alike_labels("queue", {"refund": 40, typed: 4, "delivery": 3})
    assert found.counts == {"labels": 1}
    assert f"'refund' in 40 rows and {typed!r} in 4 rows" in str(found)


def test_labels_that_are_as_frequent_or_differ_in_a_number_are_meant():
    assert alike_labels("queue", {"typical": 40, "atypical": 5}) == []
    assert alike_labels("queue", {"version 1": 90, "version 2": 1}) == []
    assert alike_labels("queue", {"spam": 90, "spar": 1, "refund": 90, "rebind": 1}) == []


def test_they_are_counted_over_all_splits_of_a_request():
    rows = [(f"message {i}", ("true", "True", "no")[i % 3]) for i in range(60)]
    frame = pd.DataFrame(rows, columns=["text", "queue"])
    (finding,) = examine(DataSpec(inputs=("text",), target="queue"), RULES, {"train": frame}).findings
    assert "'True' in 20 rows and 'true' in 20 rows" in str(finding)


def test_a_label_that_train_spells_otherwise_is_refused_with_its_likeness():
    train = pd.DataFrame([("a", "yes"), ("b", "no")] * 3, columns=["text", "queue"])
    validation = pd.DataFrame([("c", "Yes"), ("d", "n\u043e")], columns=["text", "queue"])
    said = r"'n\\u043e' is 'no', 'Yes' is 'yes' but for case, white space, invisible .* another alphabet"
    with pytest.raises(DataError, match=said):
        examine(DataSpec(inputs=("text",), target="queue"), RULES, {"train": train, "validation": validation})
