"""Rows that are nearly the same, by the share of their pieces that is common."""

import numpy as np
import pytest

from autoft.data.rows import RawSplit
from autoft.judge.preflight.near import NEAR, near_copies

LONG = "Hi, how long does delivery to Portugal normally take? I bought two door sensors on Sunday."


def split(name, texts, labels=None):
    columns = {"text": texts, "label": labels or ["a"] * len(texts)}
    return RawSplit(f"{name}.csv", "line", np.arange(2, len(texts) + 2), columns)


def near(train, test, labels=None):
    splits = {"train": split("train", train), "test": split("test", test, labels)}
    return near_copies(splits, ["text"], "label")


@pytest.mark.parametrize(
    "text",
    [
        "Hi how long does delivery to Portugal normally take - I bought two door sensors on Sunday",
        LONG.replace("normally", "normaly"),
        LONG.replace("Sunday", "Monday"),
        LONG + " Thanks, Ana",
    ],
)
def test_small_changes_are_near(text):
    (found,) = near(["something else", LONG, "and another"], ["nothing alike", text])
    assert found.counts == {"test": 1, "relabeled": 0}
    assert found.examples == (
        "line 3 of test.csv is nearly line 3 of train.csv: 'Hi, how long does delivery to Portugal n...'",
    )


@pytest.mark.parametrize("text", [LONG, LONG.lower(), LONG[:45], "How long does delivery take to Spain?"])
def test_copies_and_other_rows_are_not(text):
    assert near(["something else", LONG, "and another"], [text]) == []


def test_rows_with_another_label_are_counted_and_test_rows_are_not_shown():
    (found,) = near([LONG], [f"{LONG} secret"], ["b"])
    assert found.counts == {"test": 1, "relabeled": 1}
    assert "1 of them with another label" in str(found) and "secret" not in str(found)


def test_of_a_pair_both_texts_must_be_near():
    def pairs(name, first, second):
        return RawSplit(f"{name}.csv", "line", np.array([2]), {"a": [first], "b": [second], "label": ["x"]})

    train = pairs("train", LONG, "It takes a week.")
    for second, found in (("It takes a week or so", 0), ("it takes a week!!", 1)):
        splits = {"train": train, "validation": pairs("validation", LONG + " Bye", second)}
        assert len(near_copies(splits, ["a", "b"], "label")) == found


def test_a_pair_the_other_way_round_is_the_same():
    def pair(name, first, second):
        return RawSplit(f"{name}.csv", "line", np.array([2]), {"a": [first], "b": [second], "label": ["x"]})

    train = pair("train", LONG, "It takes a week.")
    for first, second, found in (
        ("it takes a week", LONG, 1),
        ("It takes a week.", LONG + " Bye", 1),
        ("no", LONG, 0),
    ):
        splits = {"train": train, "validation": pair("validation", first, second)}
        assert len(near_copies(splits, ["a", "b"], "label")) == found


def test_what_all_rows_of_a_split_share_does_not_make_them_new():
    """A footer with a number of each row, and a header; words that all rows of both splits have stay."""
    rng = np.random.default_rng(5)
    words = ["".join(rng.choice(list("abcdefgh"), size=6)) for _ in range(400)]
    texts = [" ".join(rng.choice(words, size=4)) for _ in range(60)]
    footer = "This message is confidential and meant for nobody but you: case"
    (found,) = near(texts[:40], [f"[EXTERNAL] {text} {footer} {i}" for i, text in enumerate(texts[20:])])
    assert found.counts["test"] == 20  # texts 20 to 39 are in both
    assert (
        near([f"{text} {footer}" for text in texts[:30]], [f"{text} {footer}" for text in texts[30:]]) == []
    )
    assert near(texts[:30], [footer] * 30) == []  # nothing is left of them


def test_what_is_found_is_what_comparing_all_rows_finds():
    """Of random texts, some of them changed here and there, as their pieces say."""
    rng = np.random.default_rng(3)
    train = ["".join(rng.choice(list("abcdef  "), size=60)) for _ in range(60)]
    test = []
    for text in train:
        characters = list(text)
        for place in rng.choice(60, size=rng.integers(1, 6), replace=False):
            characters[place] = "x"
        test.append("".join(characters))

    def pieces(text):
        text = f" {' '.join(text.split())} "
        return {text[i : i + 4] for i in range(len(text) - 3)}

    def jaccard(one, other):
        return len(pieces(one) & pieces(other)) / len(pieces(one) | pieces(other))

    expected = sum(any(jaccard(one, other) >= NEAR for other in train) for one in test)
    assert 5 < expected < 55
    (found,) = near(train, test)
    assert found.counts["test"] == expected


def test_very_short_and_very_long_texts_have_pieces_too():
    assert near(["a", "?", LONG * 2000], ["b", "!", "c"]) == []
    (found,) = near([LONG * 2000, "a"], ["a!", f"{LONG * 2000} and more"])
    assert found.counts["test"] == 2
