import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autoft.data.formats import read_file
from autoft.errors import DataError

WANTED = ["text", "queue"]


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_csv_keeps_text_as_written_and_knows_the_line_a_row_starts_on(tmp_path):
    content = '\ufefftext,queue\r\n"two\r\nlines, one cell",007\r\n\r\n"say ""hi""",1\r\n'
    split = read_file(written(tmp_path, "t.csv", content), WANTED)
    assert split.columns == {"text": ["two\r\nlines, one cell", 'say "hi"'], "queue": ["007", "1"]}
    assert split.numbers.tolist() == [2, 5]


def test_tsv_is_csv_with_tabs(tmp_path):
    split = read_file(written(tmp_path, "t.tsv", 'text\tqueue\none, two\t007\n"a\tb"\t1\n'), WANTED)
    assert split.columns == {"text": ["one, two", "a\tb"], "queue": ["007", "1"]}


def test_a_csv_cell_may_be_longer_than_the_csv_modules_own_limit(tmp_path):
    split = read_file(written(tmp_path, "t.csv", f"text,queue\n{'x' * 200_000},a\n"), WANTED)
    assert len(split.columns["text"][0]) == 200_000


def test_jsonl_values_of_any_type_get_the_same_names_as_in_csv(tmp_path):
    lines = ['{"text": "a", "queue": true}', "", f'{{"text": 12, "queue": {2**70}}}', '{"text": "c"}']
    split = read_file(written(tmp_path, "t.jsonl", "\n".join(lines)), WANTED)
    assert split.columns == {"text": ["a", "12", "c"], "queue": ["True", str(2**70), None]}
    assert split.numbers.tolist() == [1, 3, 4]


def test_parquet_floats_from_missing_values_are_integers_again(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"text": ["a", "b", None], "queue": [1.0, None, 10.0], "more": [1, 2, 3]}).to_parquet(path)
    split = read_file(path, WANTED)
    assert split.columns == {"text": ["a", "b", None], "queue": ["1", None, "10"]}
    assert (split.unit, split.numbers.tolist()) == ("row", [1, 2, 3])


def test_parquet_class_labels_give_their_names(tmp_path):
    # The metadata that `datasets` writes into every parquet file it exports.
    features = {
        "queue": {"names": ["billing", "returns"], "_type": "ClassLabel"},
        "text": {"dtype": "string"},
    }
    table = pa.table({"text": ["a", "b", "c"], "queue": [1, 0, -1]})
    meta = {"huggingface": json.dumps({"info": {"features": features}})}
    pq.write_table(table.replace_schema_metadata(meta), tmp_path / "t.parquet")
    assert read_file(tmp_path / "t.parquet", WANTED).columns["queue"] == ["returns", "billing", None]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "", r"^t\.csv is empty"),
        ("t.csv", "\n\n", r"^t\.csv is empty"),
        ("t.csv", "text,queue\n", r"^t\.csv has no rows"),
        ("t.csv", "text,label\na,b\n", r"^t\.csv: no column `queue`; the file has: text, label$"),
        (
            "t.csv",
            "text,Queues\na,b\n",
            r"no column `queue`; the file has: text, Queues; did you mean `Queues`\?",
        ),
        ("t.csv", "text;queue\na;b\n", r"no column `text`, `queue`.* must be separated by commas, .*';'"),
        ("t.csv", "text,queue,queue\na,b,c\n", r"more than one column is named `queue`"),
        (
            "t.csv",
            "text,queue\na,b\nc,d,e\nf\n",
            r"^t\.csv:3: .*2 fields.* lines 3 \(3 fields\), 4 \(1 fields\)",
        ),
        ("t.csv", 'text,queue\na,b\n"c,d\n', r"^t\.csv:3: not valid csv"),
        ("t.csv", 'text,queue\n"a" b,c\n', r"^t\.csv:2: not valid csv.*doubled"),
        (
            "t.csv",
            b"text,queue\na,b\nM\xfcller,c\n",
            r"^t\.csv:3: byte 0xfc is not UTF-8; .*'Müller'",
        ),
        ("t.tsv", "text\tqueue\na\tb\nc, d\n", r"^t\.tsv:3: each row must have 2 fields.*holds a tab in"),
        ("t.tsv", "text,queue\na,b\n", r"no column `text`, `queue`.* must be separated by tabs, .*','"),
        ("t.jsonl", '{"text": "a", "queue": "b"}\n{"text": }\n', r"^t\.jsonl:2: not valid JSON"),
        ("t.jsonl", '[\n{"text": "a"}]\n', r"^t\.jsonl:1: .*one object a line"),
        ("t.jsonl", '["a"]\n', r"^t\.jsonl:1: each line must be a JSON object, got a list"),
        (
            "t.jsonl",
            '{"text": "a", "queue": ["x", "y"]}\n',
            r"^t\.jsonl: line 1: column `queue` holds a list",
        ),
        ("t.jsonl", "[" * 100_000, r"^t\.jsonl:1: not valid JSON"),
        ("t.jsonl", '{"text": "a", "queue": ' + "9" * 5000 + "}", r"^t\.jsonl:1: not valid JSON"),
        ("t.jsonl", '{"text": "a", "queu": "b"}\n', r"no column `queue`.* did you mean `queu`"),
        ("t.jsonl", " \n", r"^t\.jsonl is empty"),
        ("t.parquet", "not parquet at all", r"^t\.parquet: not a readable parquet file"),
        (
            "t.xlsx",
            "x",
            r"must be \.csv, \.tsv, \.jsonl, \.parquet, \.conll, got \.xlsx; export the sheet as csv",
        ),
        ("t.json", "{}", r"got \.json; rename it"),
        ("tickets", "x", r"got no suffix"),
    ],
)
def test_a_broken_file_is_refused_with_line_rule_and_mend(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message):
        read_file(written(tmp_path, name, content), WANTED)


def test_a_parquet_file_without_the_column_names_those_it_has(tmp_path):
    pd.DataFrame({"text": ["a"], "target": ["b"]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"no column `queue`; the file has: text, target"):
        read_file(tmp_path / "t.parquet", WANTED)
