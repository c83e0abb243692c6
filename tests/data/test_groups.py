"""Groups in more than one split: of columns that the user has named, and of those that look like it."""

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autoft.data.groups import looks_like_a_group
from autoft.data.load import load
from autoft.data.prepare import examine
from autoft.spec.study import DataSpec, SplitSpec

from .prepared import RULES

SPEC = DataSpec(inputs=("text",), target="queue")


@pytest.mark.parametrize(
    "name", ["customer_id", "PatientID", "thread", "Conversation ID", "doc_id", "from_user", "order-no"]
)
def test_names_of_groups(name):
    assert looks_like_a_group(name)


@pytest.mark.parametrize(
    "name", ["id", "text", "subject", "order", "article", "language", "identity", "userland"]
)
def test_names_of_other_things(name):
    assert not looks_like_a_group(name)


def frame(customers, first=0):
    rows = [(f"message {first + i}", "ab"[i % 2], customer) for i, customer in enumerate(customers)]
    return pd.DataFrame(rows, columns=["text", "queue", "customer_id"])


def test_a_column_that_looks_like_a_group_is_told_where_its_groups_are_split():
    train, validation = frame([f"c{i // 2}" for i in range(40)]), frame(["c3", "c4", "new"], first=99)
    (found,) = examine(SPEC, RULES, {"train": train, "validation": validation}).findings
    assert (found.rule, found.severity, found.counts) == ("groups", "warning", {"groups": 2})
    assert found.examples == ("'c3' in train and validation", "'c4' in train and validation")
    assert found.fix.endswith("with data.split.group: customer_id")


def test_few_values_are_categories_and_rows_of_their_own_no_groups():
    few = {"train": frame([f"c{i % 5}" for i in range(40)]), "validation": frame(["c3"], first=99)}
    assert examine(SPEC, RULES, few).findings == ()
    own = {"train": frame([f"c{i}" for i in range(40)]), "validation": frame(["new"], first=99)}
    assert examine(SPEC, RULES, own).findings == ()


def test_groups_that_the_user_has_named_are_drawn_whole():
    spec = DataSpec(inputs=("text",), target="queue", split=SplitSpec(group="customer_id"))
    assert examine(spec, RULES, {"train": frame([f"c{i // 2}" for i in range(40)])}).findings == ()


def test_a_text_of_pairs_that_is_in_several_splits_is_a_group():
    def pairs(premises, first):
        rows = [
            (f"what is told of number {p}", f"it is {first + i}", "ab"[i % 2]) for i, p in enumerate(premises)
        ]
        return pd.DataFrame(rows, columns=["premise", "hypothesis", "queue"])

    spec = DataSpec(inputs=("premise", "hypothesis"), target="queue")
    train = pairs([i // 3 for i in range(60)], 0)
    (found,) = examine(spec, RULES, {"train": train, "validation": pairs([3, 4, 90], 100)}).findings
    assert (found.rule, found.counts) == ("groups", {"groups": 2})
    assert "2 groups of column `premise` lie in more than one split" in str(found)
    assert examine(spec, RULES, {"train": train, "validation": pairs([91, 92, 93], 100)}).findings == ()


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet", "frame"])
def test_such_columns_are_read_besides_the_wanted_ones_unless_they_hold_no_values(tmp_path, name):
    rows = {"text": ["a", "b"], "queue": ["x", "y"], "user": ["1", None], "note": ["n", "n"]}
    if name == "t.csv":
        pd.DataFrame(rows).to_csv(tmp_path / name, index=False)
    else:
        rows["thread_id"] = [["a"], ["b"]]  # lists are no names
    if name == "t.jsonl":
        lines = [json.dumps({key: cells[i] for key, cells in rows.items()}) for i in range(2)]
        (tmp_path / name).write_text("\n".join(lines))
    if name == "t.parquet":
        pq.write_table(pa.table(rows), tmp_path / name)
    frames = {"train": pd.DataFrame(rows)} if name == "frame" else None
    spec = DataSpec(inputs=("text",), target="queue", path=None if frames else tmp_path / name)
    assert load(spec, frames)["train"].columns == {
        "text": ["a", "b"],
        "queue": ["x", "y"],
        "user": ["1", None],
    }
