"""Labels of train that no validation row has."""

from autoft.judge.preflight.unmeasured import unmeasured

from .rows import clean, found_in


def test_labels_that_are_never_measured_are_told_the_rarest_first():
    counts = {"train": {"a": 50, "b": 2, "c": 1, "d": 0}, "validation": {"a": 9, "b": 0, "c": 0, "d": 0}}
    (found,) = unmeasured(counts, "label")
    assert found.said == "2 of 4 labels are in train and in no validation row"
    assert (found.examples, found.counts) == (("'c': 1 in train", "'b': 2 in train"), {"labels": 2})
    assert unmeasured({**counts, "validation": {"a": 1, "b": 1, "c": 1, "d": 0}}, "label") == []
    assert unmeasured(counts, "range") == []


def test_rare_labels_are_told_of_splits_that_autoft_draws():
    train = clean("text-classification")["train"]
    train.loc[[0, 1, 2], "target"] = ["once", "twice", "twice"]
    (found,) = found_in("text-classification", {"train": train})
    assert (found.rule, found.severity, found.counts) == ("unmeasured", "warning", {"labels": 2})
