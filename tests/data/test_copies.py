"""Rows that are there more than once."""

import shutil

import pandas as pd
import pytest

from autoft.data.prepare import examine
from autoft.spec.study import DataSpec

from .prepared import RULES

SPEC = DataSpec(inputs=("text",), target="queue")
ROWS = [(f"message {i}", "ab"[i % 2]) for i in range(20)]


def findings(**splits):
    frames = {name: pd.DataFrame(rows, columns=["text", "queue"]) for name, rows in splits.items()}
    return examine(SPEC, RULES, frames).findings


def test_one_file_as_three_splits(tmp_path):
    pd.DataFrame(ROWS, columns=["text", "queue"]).to_csv(tmp_path / "train.csv", index=False)
    for name in ("validation.csv", "test.csv"):
        shutil.copy(tmp_path / "train.csv", tmp_path / name)
    found = examine(DataSpec(inputs=("text",), target="queue", path=tmp_path), RULES).findings
    assert [each.said for each in found] == [
        f"{own} and {other} hold the same 20 rows"
        for own, other in [("validation", "train"), ("test", "train"), ("test", "validation")]
    ]
    assert found[0].examples[0] == "line 2 of validation.csv is line 2 of train.csv: 'message 0'"


def test_rows_of_two_splits_are_counted_with_those_that_have_another_label():
    test = [("message 3", "b"), ("message 4", "b"), ("new", "a")]  # of message 4 the label was a
    (found,) = findings(train=ROWS[:12], validation=ROWS[12:], test=test)
    assert (found.rule, found.severity) == ("copies", "error")
    assert found.counts == {"test": 2, "relabeled": 1}
    assert str(found).startswith(
        "2 of 3 test rows are also in train, 1 of them with another label "
        """(iloc 0 of data["test"] is iloc 3 of data["train"]: 'message 3'; """
    )


def test_rows_that_repeat_within_a_split_are_counted():
    train = [*ROWS, ROWS[0], ("message 1", "a"), ROWS[0]]
    (found,) = findings(train=train, validation=[("else", "a")])
    assert (found.rule, found.severity) == ("repeated rows", "warning")
    assert found.counts == {"train": 3, "relabeled": 1}
    assert "3 of 23 train rows repeat an earlier one, 1 of them with another label (iloc 20" in str(found)


def test_test_rows_are_counted_and_not_shown():
    (found,) = findings(train=ROWS, validation=[("else", "a")], test=[("secret", "a"), ("secret", "a")])
    assert "1 of 2 test rows repeat an earlier one. Remove" in str(found)


def test_of_a_pair_both_texts_make_a_row_the_same():
    frame = pd.DataFrame(
        [(f"q{i}", f"a{i % 2}", "xy"[i % 2]) for i in range(20)], columns=["question", "answer", "fits"]
    )
    spec = DataSpec(inputs=("question", "answer"), target="fits")
    assert examine(spec, RULES, {"train": frame}).findings == ()
    (found,) = examine(spec, RULES, {"train": frame, "validation": frame[3:4]}).findings
    assert "all 1 validation rows are also in train" in str(found) and "'q3 | a1'" in str(found)


@pytest.mark.parametrize("text", ["Message 3", "message  3", "message\u200b 3", "\uff4dessage 3"])
def test_what_copies_differ_in_does_not_count(text):
    (found,) = findings(train=ROWS, validation=[(text, "b")])
    assert found.counts == {"validation": 1, "relabeled": 0}


def test_other_words_are_other_rows():
    assert findings(train=ROWS, validation=[("message 3?", "b"), ("message 33", "a")]) == ()
