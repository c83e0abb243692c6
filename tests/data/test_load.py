import pandas as pd
import pytest

from autoft.data.load import load
from autoft.errors import DataError
from autoft.spec.study import DataSpec

CSV = "text,queue\na,x\nb,y\n"


def spec(path=None):
    return DataSpec(inputs=("text",), target="queue", path=path)


def test_a_single_file_is_train(tmp_path):
    (tmp_path / "t.csv").write_text(CSV)
    assert list(load(spec(tmp_path / "t.csv"))) == ["train"]


def test_a_folder_gives_its_splits_in_any_format_under_autofts_names(tmp_path):
    (tmp_path / "train.csv").write_text(CSV)
    (tmp_path / "dev.jsonl").write_text('{"text": "c", "queue": "x"}\n')
    pd.DataFrame({"text": ["d"], "queue": ["y"]}).to_parquet(tmp_path / "test.parquet")
    (tmp_path / "README.md").write_text("not data")
    splits = load(spec(tmp_path))
    assert {name: split.columns["text"] for name, split in splits.items()} == {
        "train": ["a", "b"],
        "validation": ["c"],
        "test": ["d"],
    }
    assert splits["validation"].source == "dev.jsonl"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], r"must hold one of train\.csv, .*it holds: nothing"),
        (["tickets.csv"], r"it holds: tickets\.csv"),
        (["train.csv", "train.jsonl"], r"train\.csv and train\.jsonl are both the train split"),
        (["train.csv", "dev.csv", "val.csv"], r"dev and val are both the validation split"),
    ],
)
def test_an_unclear_folder_is_refused(tmp_path, files, message):
    for name in files:
        (tmp_path / name).write_text(CSV)
    with pytest.raises(DataError, match=message):
        load(spec(tmp_path))


def test_a_missing_file_names_the_nearest_one(tmp_path):
    (tmp_path / "tickets.csv").write_text(CSV)
    with pytest.raises(DataError, match=r"no such file or folder; did you mean tickets\.csv\?"):
        load(spec(tmp_path / "ticket.csv"))
    with pytest.raises(DataError, match=r"the folder .* does not exist either"):
        load(spec(tmp_path / "nowhere" / "ticket.csv"))


def test_data_frames_of_any_column_type(tmp_path):
    train = pd.DataFrame({"text": ["a", "b"], "queue": pd.array([1, None], dtype="Int64")}, index=[40, 40])
    valid = pd.DataFrame({"text": pd.Series(["c"], dtype="category"), "queue": [True]})
    splits = load(spec(), {"train": train, "valid": valid})
    assert splits["train"].columns == {"text": ["a", "b"], "queue": ["1", None]}
    assert splits["validation"].columns == {"text": ["c"], "queue": ["True"]}
    assert splits["train"].places(splits["train"].numbers == 1) == "iloc 1"


def test_a_folder_of_conll_files_and_data_frames_of_lists(tmp_path):
    wanted = DataSpec(inputs=("tokens",), target="tags", path=tmp_path)
    lists = {"tokens": "texts", "tags": "texts"}
    (tmp_path / "train.conll").write_text("a O\nb B-X\n\nc O\n")
    (tmp_path / "testb.conll").write_text("not a split")
    (tmp_path / "dev.conll").write_text("d O\n")
    splits = load(wanted, kinds=lists)
    assert {name: split.columns["tokens"] for name, split in splits.items()} == {
        "train": [("a", "b"), ("c",)],
        "validation": [("d",)],
    }
    frame = pd.DataFrame({"tokens": [["a", "b"], ["c"]], "tags": [("O", "B-X"), ["O"]]})
    framed = load(DataSpec(inputs=("tokens",), target="tags"), {"train": frame}, lists)
    assert framed["train"].columns == splits["train"].columns
    with pytest.raises(DataError, match=r'data\["train"\]: iloc 0: column `tags` holds a tuple'):
        load(DataSpec(inputs=("tokens",), target="tags"), {"train": frame}, {"tokens": "texts"})


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ({"train": [1, 2]}, r'data\["train"\]: must be a pandas DataFrame, got list'),
        ({"trian": pd.DataFrame()}, r"a split is one of train, validation, test, got `trian`"),
        ({"train": pd.DataFrame({"text": [], "queue": []})}, r"has no rows"),
        ({"train": pd.DataFrame({"text": ["a"]})}, r"no column `queue`; the file has: text"),
        ({"test": pd.DataFrame({"text": ["a"], "queue": ["b"]})}, r"must be a split named train, got test"),
    ],
)
def test_wrong_data_frames_are_refused(frames, message):
    with pytest.raises(DataError, match=message):
        load(spec(), frames)
