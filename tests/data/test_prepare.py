import json
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from autoft.data.files import read_table, write_table
from autoft.data.prepare import PLACES_FILE, examine, read_places, read_prepared, read_rows
from autoft.data.seal import open_test
from autoft.errors import DataError
from autoft.spec.study import DataSpec, SplitSpec

from .prepared import RULES, prepare

SPEC = DataSpec(inputs=("text",), target="queue")
FRAME = pd.DataFrame({"text": [f"message {i}" for i in range(40)], "queue": ["b", "a10", "a9", "b"] * 10})


def given(train, **others):
    return {
        name: pd.DataFrame(rows, columns=["text", "queue"])
        for name, rows in {"train": train, **others}.items()
    }


PAIRS = [("one", "a"), ("two", "b"), ("three", "a"), ("four", "b")]


def test_rows_are_written_numbered_and_the_test_rows_lie_apart(tmp_path):
    examined = examine(SPEC, RULES, {"train": FRAME})
    data = examined.write(tmp_path / "data")
    examined.seal(tmp_path / "sealed")
    assert data.targets == {"labels": ["a9", "a10", "b"]}
    assert data.counts["train"] == {"a9": 7, "a10": 7, "b": 14}  # 70 % of 10, 10, 20
    rows, test = read_table(data.rows_path), open_test(tmp_path / "sealed", "this test")
    assert rows.column_names == ["input_0", "target", "split"]
    assert set(rows.column("split").to_pylist()) == {"train", "validation"}
    seen = rows.to_pylist() + test.to_pylist()
    expected = dict(zip(FRAME["text"], FRAME["queue"], strict=True))
    assert {row["input_0"]: data.targets["labels"][row["target"]] for row in seen} == expected
    assert len(seen) == 40 == sum(data.size(split) for split in ("train", "validation", "test"))
    assert pickle.loads(pickle.dumps(data)) == data


def test_a_pair_has_two_inputs(tmp_path):
    frame = FRAME.assign(title=[f"title {i}" for i in range(40)])
    data = prepare(replace(SPEC, inputs=("title", "text")), tmp_path, {"train": frame})
    row = read_table(data.rows_path).slice(0, 1).to_pylist()[0]
    assert data.n_inputs == 2 and row["input_0"].split()[1] == row["input_1"].split()[1]
    assert row["input_0"].startswith("title") and row["input_1"].startswith("message")


def test_the_digest_is_of_the_content_not_of_the_format(tmp_path):
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    FRAME.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    FRAME.assign(more=1).to_parquet(tmp_path / "elsewhere.parquet")
    digests = {
        prepare(replace(SPEC, path=tmp_path / name), tmp_path / "study").digest
        for name in ("t.csv", "t.jsonl", "elsewhere.parquet")
    }
    assert digests == {prepare(SPEC, tmp_path / "study", {"train": FRAME}).digest}


def test_where_a_row_stands_is_kept_and_changes_nothing_else(tmp_path):
    """Line 1 is the header, so `message 0` stands in line 2, or in line 3 after an empty line."""
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "other.csv").write_text("\n" + (tmp_path / "t.csv").read_text())
    examined = examine(replace(SPEC, path=tmp_path / "t.csv"), RULES)
    first = replace(examined, splits={}).write(tmp_path / "study")  # as a session does, for room
    rows = read_rows(first.rows_path)
    validation = rows.filter(np.array(rows["split"].to_pylist()) == "validation")
    numbers = [int(text.split()[1]) for text in validation["input_0"].to_pylist()]
    assert len(numbers) == 6
    found = read_places(first.folder, "validation", validation)
    assert found == [f"t.csv: line {number + 2}" for number in numbers]
    second = prepare(replace(SPEC, path=tmp_path / "other.csv"), tmp_path / "second")
    assert (second.digest, second.rows_digest) == (first.digest, first.rows_digest)
    assert read_places(second.folder, "validation", validation)[0] == f"other.csv: line {numbers[0] + 3}"


def test_places_of_other_rows_or_none_are_empty(tmp_path):
    data = prepare(SPEC, tmp_path, {"train": FRAME})
    rows = read_rows(data.rows_path)
    train = rows.filter(np.array(rows["split"].to_pylist()) == "train")
    prepare(SPEC, tmp_path, {"train": FRAME.assign(queue=["a9", *FRAME["queue"][1:]])})
    assert read_places(tmp_path, "train", train) == [""] * 28
    (tmp_path / PLACES_FILE).unlink()
    assert read_places(tmp_path, "train", train) == [""] * 28


@pytest.mark.parametrize(
    "other",
    [
        FRAME.assign(text=FRAME["text"].str.replace("message 7", "message 77")),
        FRAME.assign(queue=["a9", *FRAME["queue"][1:]]),
        FRAME.iloc[:-4],
    ],
)
def test_the_digest_changes_with_a_cell_a_label_and_a_row(tmp_path, other):
    assert (
        prepare(SPEC, tmp_path, {"train": FRAME}).digest != prepare(SPEC, tmp_path, {"train": other}).digest
    )


def test_the_digest_changes_with_the_splits(tmp_path):
    other = replace(SPEC, split=SplitSpec(seed=14))
    assert (
        prepare(SPEC, tmp_path, {"train": FRAME}).digest != prepare(other, tmp_path, {"train": FRAME}).digest
    )


@pytest.mark.parametrize(
    ("others", "sizes"),
    [
        ({}, {"train": 28, "validation": 6, "test": 6}),
        ({"test": PAIRS}, {"train": 34, "validation": 6, "test": 4}),
        ({"validation": PAIRS}, {"train": 40, "validation": 4}),
        ({"validation": PAIRS, "test": PAIRS}, {"train": 40, "validation": 4, "test": 4}),
    ],
)
def test_given_splits_are_kept_and_missing_ones_drawn(tmp_path, others, sizes):
    train = [(f"message {i}", "ab"[i % 2]) for i in range(40)]
    data = prepare(SPEC, tmp_path, given(train, **others))
    assert {name: data.size(name) for name in data.counts} == sizes


def test_without_a_test_split_none_of_an_earlier_request_is_left(tmp_path):
    examine(SPEC, RULES, {"train": FRAME}).seal(tmp_path)
    examine(replace(SPEC, split=SplitSpec(test=0)), RULES, {"train": FRAME}).seal(tmp_path)
    with pytest.raises(DataError, match="no test split"):
        open_test(tmp_path, "this test")


def test_empty_cells_are_counted_and_their_lines_named(tmp_path):
    rows = [f"message {i},{'ab'[i % 2]}" for i in range(20)]
    rows[3], rows[7], rows[8] = ",a", "message,", "  ,\t"
    (tmp_path / "t.csv").write_text("\n".join(["text,queue", *rows]))
    spec = replace(SPEC, path=tmp_path / "t.csv")
    with pytest.raises(DataError) as error:
        prepare(spec, tmp_path / "study")
    assert str(error.value) == (
        "t.csv: 3 of 20 rows have an empty cell (`text` in 2, `queue` in 2): lines 5, 9, 10\n"
        "Fill them in, or leave these rows out with data.on_empty: drop"
    )
    data = prepare(replace(spec, on_empty="drop"), tmp_path / "study")
    assert data.dropped == 3 and sum(data.size(split) for split in data.counts) == 17


def test_an_unlabeled_test_split_can_be_dropped_whole(tmp_path):
    frames = given(PAIRS, validation=PAIRS, test=[("x", None), ("y", None)])
    data = prepare(replace(SPEC, on_empty="drop"), tmp_path, frames)
    assert list(data.counts) == ["train", "validation"] and data.dropped == 2


def test_groups_stay_together_and_a_missing_group_is_an_empty_cell(tmp_path):
    frame = FRAME.assign(customer=np.arange(40) // 2)
    spec = replace(SPEC, split=SplitSpec(group="customer"))
    rows = read_table(prepare(spec, tmp_path, {"train": frame}).rows_path).to_pylist()
    home = {}
    for row in rows:
        assert home.setdefault(int(row["input_0"].split()[1]) // 2, row["split"]) == row["split"]
    with pytest.raises(DataError, match=r"1 of 40 rows has an empty cell \(`customer` in 1\): iloc 5"):
        prepare(spec, tmp_path, {"train": frame.assign(customer=frame["customer"].where(frame.index != 5))})


def test_white_space_around_a_label_is_not_part_of_its_name(tmp_path):
    frames = given([("x", "a "), ("y", " b"), ("z", "a")], validation=PAIRS)
    assert prepare(SPEC, tmp_path, frames).targets == {"labels": ["a", "b"]}


def test_what_was_written_is_read_again_but_for_the_sealed_rows(tmp_path):
    written = prepare(SPEC, tmp_path, {"train": FRAME})
    seen = {split: counts for split, counts in written.counts.items() if split != "test"}
    assert set(seen) == {"train", "validation"}
    sizes = {split: written.size(split) for split in seen}
    assert read_prepared(tmp_path) == replace(written, counts=seen, sizes=sizes)
    with pytest.raises(DataError, match="no such file"):
        read_prepared(tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (
            given([("x", "a"), ("y", "a "), ("z", "a"), ("v", "a")]),
            r"column `queue` has one value only \(`a`\) in 2 training rows; .* at least two",
        ),
        (
            given(PAIRS, validation=[("x", "a"), ("y", "c")]),
            r'data\["validation"\]: label `c` of column `queue` is not in .*\(iloc 1\); train has `a`, `b`',
        ),
        (given(PAIRS, test=[("x", "c")]), r'data\["test"\]: label `c`'),
        (
            given([("x", "a"), ("y", None)], test=[(" ", "b")]),
            r'(?s)data\["train"\]: 1 of 2 .*data\["test"\]: 1 of 1 ',
        ),
        (given(PAIRS), r"too few rows of the labels `a` \(2\), `b` \(2\)"),
    ],
)
def test_data_that_cannot_be_learned_from_are_refused(tmp_path, frames, message):
    with pytest.raises(DataError, match=message):
        prepare(SPEC, tmp_path, frames)


def test_nothing_left_after_dropping_is_an_error(tmp_path):
    frames = given(PAIRS, validation=[("x", None)])
    with pytest.raises(DataError, match=r"nothing is left of validation"):
        prepare(replace(SPEC, on_empty="drop"), tmp_path, frames)


def test_rows_of_a_version_with_one_task_are_read_as_they_would_be_now(tmp_path):
    written = prepare(SPEC, tmp_path / "now", {"train": FRAME})
    rows = read_table(written.rows_path)
    about = {"digest": rows.schema.metadata[b"digest"], "labels": json.dumps(written.targets["labels"])}
    names = ["label" if name == "target" else name for name in rows.column_names]
    write_table(rows.rename_columns(names).replace_schema_metadata(about), tmp_path / "then" / "rows.arrow")
    now, then = read_prepared(tmp_path / "now"), read_prepared(tmp_path / "then")
    assert then == replace(now, folder=tmp_path / "then", rows_digest=then.rows_digest)
    assert read_rows(tmp_path / "then" / "rows.arrow").equals(read_rows(written.rows_path))


def test_workers_are_told_nothing_of_the_test_rows(tmp_path):
    rows = read_table(prepare(SPEC, tmp_path, {"train": FRAME}).rows_path)
    assert set(json.loads(rows.schema.metadata[b"counts"])) == {"train", "validation"}


def test_the_digest_of_a_classification_is_the_one_that_earlier_versions_gave(tmp_path):
    # Made by the version before there were other tasks: a study that stands must find its data again.
    assert prepare(SPEC, tmp_path, {"train": FRAME}).digest == "e74e551cb3f46b601e57a57e86556651"
