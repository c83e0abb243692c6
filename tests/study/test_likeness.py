"""Likeness, with every number worked out by hand."""

import math

import pyarrow as pa
import pytest

from autoft.study import likeness as module
from autoft.study.likeness import Likeness, Side, likeness

BERT = {"weights": "w1", "architecture": "Bert of 12 blocks"}


def side(texts=("a row",), labels=("x", "y"), models=None, **columns) -> Side:
    return Side(models or {"bert": BERT}, labels, pa.table({"input_0": list(texts), **columns}))


def test_a_study_is_wholly_like_itself() -> None:
    alike = likeness(side(), side())
    assert alike == Likeness(model=1.0, labels=1.0, words=pytest.approx(1.0), size=1.0)
    assert alike.value == pytest.approx(1.0) and alike.value <= 1.0


@pytest.mark.parametrize(
    ("name", "facts", "expected"),
    [
        ("other", BERT, 1.0),  # the same weights under another name
        ("bert", {"weights": "w2", "architecture": "Gpt of 2 blocks"}, 0.8),  # another revision
        ("other", {"weights": "w2", "architecture": "Bert of 12 blocks"}, 0.8),
        ("other", {"weights": "w2", "architecture": "Bert of 6 blocks"}, 0.5),
        ("other", {"weights": None, "architecture": None}, 0.5),
    ],
)
def test_models_are_alike_by_weights_then_by_name_or_architecture(
    name: str, facts: dict[str, str | None], expected: float
) -> None:
    assert likeness(side(), side(models={name: facts})).model == expected


def test_what_is_unknown_of_both_is_not_the_same() -> None:
    unknown = {"weights": None, "architecture": None}
    assert likeness(side(models={"a": unknown}), side(models={"b": unknown})).model == 0.5


def test_of_several_models_each_is_held_against_the_one_that_it_is_most_like() -> None:
    several = {"bert": BERT, "new": {"weights": "w9", "architecture": "New of 1 blocks"}}
    assert likeness(side(models=several), side()).model == (1.0 + 0.5) / 2
    assert likeness(side(), side(models=several)).model == 1.0


def test_labels_by_their_share_in_common() -> None:
    assert likeness(side(labels=("a", "b", "c")), side(labels=("b", "c", "d"))).labels == 2 / 4
    assert likeness(side(labels=("a", "b")), side(labels=("c", "d"))).labels == 0


def test_words_by_the_cosine_of_their_counts() -> None:
    # (red 2, green 1) and (red 1, blue 2): 2 / (sqrt 5 x sqrt 5).
    alike = likeness(side(("red green", "Red")), side(("red blue", "blue")))
    assert alike.words == pytest.approx(2 / 5)
    assert likeness(side(("red",)), side(("blue",))).words == 0
    assert likeness(side(("a",)), side(("b",))).words == 0  # words of one letter are none


def test_files_have_no_words_that_could_differ() -> None:
    assert likeness(side((b"a",)), side((b"b",))).words == 1


def test_both_columns_of_a_pair_count() -> None:
    pair = side(("red",), input_1=["green"])
    assert likeness(pair, side(("green red",))).words == pytest.approx(1)


def test_of_many_rows_the_words_of_some_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COUNTED_ROWS", 3)
    # Of five rows the first, the third and the last.
    one = side(("red", "blue", "red", "blue", "red"))
    assert likeness(one, side(("red",))).words == pytest.approx(1)


def test_size_by_the_fourth_root_of_the_ratio() -> None:
    small, large = side(("red",) * 2), side(("red",) * 32)
    assert likeness(small, large).size == likeness(large, small).size == pytest.approx(1 / 2)


def test_the_value_is_the_product() -> None:
    alike = Likeness(model=0.8, labels=0.5, words=0.9, size=0.5)
    assert math.isclose(alike.value, 0.8 * 0.7 * 0.5)
