"""When splits have other shares of labels: by far, and by more than chance."""

from autoft.judge.preflight.shares import far_shares

TRAIN = {"a": 300, "b": 100}


def test_a_split_of_other_shares_is_told_with_the_labels_unless_it_is_the_test_split():
    counts = {"train": TRAIN, "validation": {"a": 20, "b": 60}, "test": {"a": 25, "b": 75}}
    validation, test = far_shares(counts, "label")
    # 3/4 against 1/4: half of the rows.
    assert (
        validation.said
        == "validation has other shares of each label than train: 50% of its rows would have to be others"
    )
    assert validation.examples == ("'a' 25% instead of 75%", "'b' 75% instead of 25%")
    assert (test.counts, test.examples) == ({"percent": 50}, ())


def test_what_is_near_or_may_be_chance_is_not_told():
    assert far_shares({"train": TRAIN, "validation": {"a": 60, "b": 38}}, "label") == []  # 14 points
    assert far_shares({"train": TRAIN, "validation": {"a": 1, "b": 2}}, "label") == []  # far, of 3 rows
    assert far_shares({"train": TRAIN, "validation": {"a": 0, "b": 0}}, "label") == []  # rows without any
