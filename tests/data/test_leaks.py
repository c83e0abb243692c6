"""What `data.on_leak` makes of rows and groups that also stand in a later split."""

from dataclasses import replace

import pandas as pd
import pytest

from autoft.data.prepare import examine
from autoft.errors import DataError
from autoft.spec.study import DataSpec, SplitSpec

from .prepared import RULES

SPEC = DataSpec(inputs=("text",), target="queue")


def frame(*rows):
    return pd.DataFrame(rows, columns=["text", "queue", "buyer"])


TRAIN = [(f"train {i}", "ab"[i % 2], f"c{i}") for i in range(12)]
SPLITS = {
    "train": frame(*TRAIN, ("held out 0", "a", "c20"), ("Sealed 1", "b", "c31")),
    "validation": frame(
        *[(f"held out {i}", "ab"[i % 2], f"c{20 + i}") for i in range(4)], ("sealed 0", "a", "c30")
    ),
    "test": frame(*[(f"sealed {i}", "ab"[i % 2], f"c{30 + i}") for i in range(4)]),
}


def texts(rows, split):
    return rows.tables[split]["input_0"].to_pylist()


def test_by_default_copies_are_errors_and_say_the_way_out():
    found = examine(SPEC, RULES, SPLITS).findings
    assert [(each.severity, each.counts) for each in found] == [
        ("error", {"validation": 1, "relabeled": 0}),
        ("error", {"test": 1, "relabeled": 0}),
        ("error", {"test": 1, "relabeled": 0}),
    ]
    assert str(found[0]).endswith(
        "leave them out of the earlier split with data.on_leak: drop, or keep them with data.on_leak: warn"
    )


def test_warn_keeps_every_row():
    asked, warned = examine(SPEC, RULES, SPLITS), examine(replace(SPEC, on_leak="warn"), RULES, SPLITS)
    assert {each.severity for each in warned.findings} == {"warning"}
    assert warned.digest == asked.digest and warned.sizes == {"train": 14, "validation": 5, "test": 4}


def test_drop_leaves_them_out_of_the_earlier_split_and_says_how_many():
    rows = examine(replace(SPEC, on_leak="drop"), RULES, SPLITS)
    (found,) = rows.findings
    assert (found.severity, found.counts) == ("note", {"train": 2, "validation": 1})
    assert found.said.startswith("2 of 14 train rows and 1 of 5 validation rows were left out")
    assert texts(rows, "train") == [text for text, *_ in TRAIN]
    assert texts(rows, "validation") == [f"held out {i}" for i in range(4)]
    assert len(texts(rows, "test")) == 4


def test_a_study_of_the_rows_that_are_left_is_that_of_a_request_without_the_others():
    """The digest, which is the study's identity, is of the rows that trials get; it is the same each time."""
    spec = replace(SPEC, on_leak="drop")
    clean = {**SPLITS, "train": SPLITS["train"][:12], "validation": SPLITS["validation"][:4]}
    assert examine(spec, RULES, SPLITS).digest == examine(SPEC, RULES, clean).digest
    assert examine(spec, RULES, SPLITS).digest != examine(SPEC, RULES, SPLITS).digest
    assert examine(spec, RULES, clean).findings == ()


def test_drop_holds_for_splits_that_are_drawn():
    once = [(f"row {i}", "ab"[i % 2], "c") for i in range(40)]
    frames = {"train": frame(*once, *once)}
    rows = examine(replace(SPEC, on_leak="drop"), RULES, frames)
    splits = [set(texts(rows, name)) for name in ("train", "validation", "test")]
    assert sum(map(len, splits)) == len(set.union(*splits)) == 40
    assert rows.findings[0].severity == "note"


def test_groups_that_the_user_has_named_are_treated_alike():
    spec = replace(SPEC, split=SplitSpec(group="buyer"))
    later = frame(("else 1", "a", "c3"), ("else 2", "b", "c40"))
    frames = {"train": frame(*TRAIN, ("train 99", "a", "c3")), "validation": later}
    (found,) = examine(spec, RULES, frames).findings
    assert (found.rule, found.severity, found.counts) == ("groups", "error", {"groups": 1})
    assert "1 group of column `buyer` lies in more than one split ('c3' in train and validation)" in str(
        found
    )
    assert examine(replace(spec, on_leak="warn"), RULES, frames).findings[0].severity == "warning"
    rows = examine(replace(spec, on_leak="drop"), RULES, frames)
    assert [each.counts for each in rows.findings] == [{"train": 2}]
    assert "c3" not in [TRAIN[int(text.split()[1])][2] for text in texts(rows, "train")]


def test_a_split_of_which_nothing_is_left_is_refused():
    frames = {"train": frame(*TRAIN), "validation": frame(*TRAIN, ("else", "a", "c"))}
    with pytest.raises(DataError, match="drop leaves nothing of train: all its 12 rows also stand"):
        examine(replace(SPEC, on_leak="drop"), RULES, frames)
