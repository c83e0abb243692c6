"""Columns whose cells are files: what counts is their bytes, wherever these come from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from autoft.data.file_column import file_column
from autoft.data.files import read_table
from autoft.data.longest_rows import longest
from autoft.data.overlap import leaked, row_digests, texts_of
from autoft.data.prepare import examine
from autoft.data.seal import open_test
from autoft.errors import DataError
from autoft.spec.study import DataSpec

from .prepared import RULES


class OfFiles(type(RULES)):
    spec = replace(RULES.spec, inputs="file")


RULES = OfFiles()
SPEC = DataSpec(inputs=("image",), target="label")
CONTENTS = [bytes([i]) * (i + 1) for i in range(40)]
FRAME = pd.DataFrame({"image": CONTENTS, "label": ["a", "b"] * 20})


def column(values, folder=Path()):
    return file_column(values, "t.csv", "image", np.arange(2, len(values) + 2), "line", folder)


def written(folder, names=None):
    """A csv that names a file for each of CONTENTS."""
    names = names or [f"{i}.bin" for i in range(len(CONTENTS))]
    for name, content in zip(names, CONTENTS, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    FRAME.assign(image=names).to_csv(folder / "t.csv", index=False)
    return replace(SPEC, path=folder / "t.csv")


def test_a_path_begins_in_the_folder_and_bytes_may_stand_in_the_cell(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.bin").write_bytes(b"a")
    absolute = str(tmp_path / "in" / "a.bin")
    paths = ["in/a.bin", absolute, Path("in/a.bin"), {"bytes": None, "path": "in/a.bin"}]
    assert column(paths, tmp_path) == [b"a"] * 4
    assert column([b"b", {"bytes": b"b", "path": "gone.bin"}, {"bytes": b"b"}]) == [b"b"] * 3
    assert column([None, float("nan"), " ", {"bytes": None, "path": None}]) == [None] * 4


def test_all_files_that_cannot_be_read_are_told_by_what_is_wrong_with_them(tmp_path):
    (tmp_path / "none.bin").write_bytes(b"")
    (tmp_path / "a.bin").write_bytes(b"a")
    gone = [f"{i}.bin" for i in range(7)]
    with pytest.raises(DataError) as told:
        column([*gone, "a.bin", ".", "none.bin", b"", 3.0, ["a.bin"], "a\0b", {"url": "a.bin"}], tmp_path)
    shown = ", ".join(f"line {i + 2} ('{i}.bin')" for i in range(5))
    assert str(told.value).splitlines() == [
        f"t.csv: column `image`: no such file or directory in 7 of 15 rows: {shown} and 2 more",
        "t.csv: column `image`: is a directory in 1 of 15 rows: line 10 ('.')",
        "t.csv: column `image`: an empty file in 2 of 15 rows: line 11 ('none.bin'), line 12 (bytes)",
        "t.csv: column `image`: neither a path nor the bytes of a file in 3 of 15 rows: "
        "line 13 (float), line 14 (list), line 16 (dict)",
        "t.csv: column `image`: embedded null byte in 1 of 15 rows: line 15 ('a\\x00b')",
        f"Correct or remove these rows; a path is relative to {tmp_path}",
    ]


def test_rows_hold_the_bytes_and_where_they_came_from_does_not_count(tmp_path):
    rows = examine(written(tmp_path / "one"), RULES)
    moved = examine(written(tmp_path / "other", [f"sub/{i}.png" for i in range(40)]), RULES)
    FRAME.to_parquet(tmp_path / "t.parquet")
    stored = examine(replace(SPEC, path=tmp_path / "t.parquet"), RULES)
    assert {each.digest for each in (rows, moved, stored)} == {examine(SPEC, RULES, {"train": FRAME}).digest}
    other = FRAME.assign(image=[b"\1", *CONTENTS[1:]])  # one byte
    assert examine(SPEC, RULES, {"train": other}).digest != rows.digest
    table = read_table(rows.write(tmp_path / "data").rows_path)
    rows.seal(tmp_path / "sealed")
    assert table.schema.field("input_0").type == pa.large_binary()
    held = table["input_0"].to_pylist() + open_test(tmp_path / "sealed", "this test")["input_0"].to_pylist()
    assert sorted(held) == CONTENTS


def test_a_copy_in_two_splits_is_found_by_its_bytes_and_shown_by_its_size():
    test = pd.DataFrame({"image": [bytes(1204), CONTENTS[0], b"A"], "label": ["a", "b", "a"]})
    train = FRAME.assign(image=[bytes(1204), b"a", *CONTENTS[2:]])
    (found,) = examine(SPEC, RULES, {"train": train, "validation": FRAME[1:2], "test": test}).findings
    assert (found.said, found.severity) == ("1 of 3 test rows are also in train", "error")
    assert found.examples == ('iloc 0 of data["test"] is iloc 0 of data["train"]: a file of 1,204 bytes',)


def test_rows_of_two_studies_are_the_same_where_their_bytes_are():
    def table(*contents):
        return pa.table({"input_0": pa.array(contents, pa.large_binary()), "target": [0] * len(contents)})

    assert leaked(table(b"aa", b"AA"), [], table(b"aa", b"c")) == [("a file of 2 bytes",)]
    one, other, same = row_digests(table(b"aa", b"AA", b"aa")).tolist()
    assert one == same != other
    assert texts_of(table(bytes(1204))) == [("a file of 1,204 bytes",)]


def test_the_largest_files_are_the_longest_rows():
    few = longest(examine(SPEC, RULES, {"train": FRAME, "validation": FRAME[:4]}), 2, 3)
    assert few.tables["train"]["input_0"].to_pylist() == [CONTENTS[39], CONTENTS[38]]
