import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autoft.data.formats import read_columns, read_file
from autoft.errors import DataError

WANTED = ["text", "queue"]
LISTS = {"tokens": "texts", "tags": "texts"}


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


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_a_csv_is_read_by_what_separates_its_header(tmp_path, mark):
    # Semicolons are what Excel writes where the comma is the decimal point.
    content = (
        f'\ufefftext{mark}queue{mark}"cost, net"\r\none, two{mark}007{mark}4,5\r\n"a{mark}b"{mark}1{mark}\r\n'
    )
    path = written(tmp_path, "t.csv", content)
    assert read_file(path, WANTED).columns == {"text": ["one, two", f"a{mark}b"], "queue": ["007", "1"]}
    path = written(tmp_path, "t.csv", f'text,"queue{mark}or{mark}not{mark}"\na{mark}b{mark}c,1\n')
    assert read_file(path, ["text"]).columns == {"text": [f"a{mark}b{mark}c"]}


def test_all_columns_that_have_a_name_of_their_own_are_read_where_none_is_named(tmp_path):
    found = read_columns(written(tmp_path, "t.csv", "a,b,,b,c\n1,2,3,4,5\n"))
    assert found.cells == {"a": ["1"], "c": ["5"]}
    found = read_columns(written(tmp_path, "t.jsonl", '{"a": [1], "b": 2}\n{"c": null}\n'))
    assert found.cells == {"a": [[1], None], "b": [2, None], "c": [None, None]}


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


@pytest.mark.parametrize("of_lists", [{"feature": "?", "_type": "List"}, {"feature": "?"}, ["?"]])
def test_parquet_lists_of_class_labels_give_their_names(tmp_path, of_lists):
    # As `datasets` 4, 2 and 1 describe a list; other columns of the file are of any kind.
    labels = {"names": ["O", "B-LOC"], "_type": "ClassLabel"}
    tags = [labels] if isinstance(of_lists, list) else {**of_lists, "feature": labels}
    features = {"tags": tags, "tokens": [{"dtype": "string"}], "about": {"id": {"dtype": "int32"}}}
    rows = {"tokens": [["in", "Rome"], ["no"], None], "tags": [[0, 1], [0], []], "queue": [1, 0, 1]}
    features["queue"] = {"names": ["billing", "returns"], "_type": "ClassLabel"}
    # Columns that are described in no known way take no names away.
    features |= {"odd": [], "odder": "text", "oddest": None}
    meta = {"huggingface": json.dumps({"info": {"features": features}})}
    pq.write_table(pa.table(rows).replace_schema_metadata(meta), tmp_path / "t.parquet")
    split = read_file(tmp_path / "t.parquet", ["tokens", "tags", "queue"], LISTS)
    assert split.columns == {
        "tokens": [("in", "Rome"), ("no",), None],
        "tags": [("O", "B-LOC"), ("O",), ()],
        "queue": ["returns", "billing", "returns"],
    }


def test_lists_are_read_from_csv_and_jsonl_too(tmp_path):
    csv = written(tmp_path, "t.csv", 'text,queue\na,"[""x"", ""y""]"\nb,[]\nc,\n')
    jsonl = written(tmp_path, "t.jsonl", '{"text": "a", "queue": ["x", "y"]}\n{"text": "b", "queue": []}\n')
    expected = [("x", "y"), ()]
    assert read_file(jsonl, WANTED, {"queue": "texts"}).columns == {"text": ["a", "b"], "queue": expected}
    assert read_file(csv, WANTED, {"queue": "texts"}).columns["queue"] == [*expected, None]


CONLL = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

\t
Peter\tNNP\tB-NP\tB-PER
"""


def test_conll_gives_a_row_a_sentence_with_the_line_it_starts_on(tmp_path):
    for content in (CONLL, CONLL.replace("\n", "\r\n"), CONLL.rstrip()):
        split = read_file(written(tmp_path, "t.conll", content), ["tokens", "tags"], LISTS)
        assert split.columns == {
            "tokens": [("EU", "rejects"), ("Peter",)],
            "tags": [("B-ORG", "O"), ("B-PER",)],
        }
        assert (split.unit, split.numbers.tolist()) == ("line", [3, 7])
    only = read_file(written(tmp_path, "t.conll", CONLL), ["tags"], LISTS)
    assert only.columns == {"tags": [("B-ORG", "O"), ("B-PER",)]}


def test_a_conll_token_keeps_the_white_space_that_separates_nothing(tmp_path):
    content = "10\u00a0000 O\nkm  O\n\nNew York\tB-LOC\n"
    split = read_file(written(tmp_path, "t.conll", content), ["tokens", "tags"], LISTS)
    assert split.columns["tokens"] == [("10\u00a0000", "km"), ("New York",)]
    assert split.columns["tags"] == [("O", "O"), ("B-LOC",)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("EU B-ORG\n\nrejects\n", r"^t\.conll:3: a line must be a token and its tag, got 'rejects'"),
        ("-DOCSTART- O\n\n", r"^t\.conll has no rows"),
        ("EU \u00a0\n", r"^t\.conll: line 1: column `tags`: element 1 of the list is empty"),
    ],
)
def test_a_broken_conll_file_is_refused_with_its_line(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read_file(written(tmp_path, "t.conll", content), ["tokens", "tags"], LISTS)


def test_a_conll_file_has_two_columns_which_the_error_names(tmp_path):
    path = written(tmp_path, "t.conll", CONLL)
    with pytest.raises(
        DataError, match=r"no column `ner`; .* has: tokens, tags; the first column is `tokens`"
    ):
        read_file(path, ["tokens", "ner"])
    with pytest.raises(DataError, match=r"line 3: column `tokens` holds a list; it must be text"):
        read_file(path, ["tokens"])  # of a task whose inputs are texts


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
        ("t.bio", "x O", r"got \.bio; rename it to \.conll"),
        ("t.txt", "x O", r"got \.txt; rename it to \.csv, \.tsv or \.conll, by how it is laid out"),
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
