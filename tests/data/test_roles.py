"""Which column is for what, where names and cells say it in different ways."""

import json
import random

import pytest

from autoft.data.look import look
from autoft.data.roles import roles
from autoft.errors import DataError

N = 120


def texts(words):
    """Texts of so many words, no two the same."""
    rng = random.Random(words)
    return [" ".join([f"word{rng.randrange(50)}" for _ in range(words - 1)] + [f"no{i}"]) for i in range(N)]


def of(path, **columns):
    """The roles of the columns of a file."""
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    (path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    found = roles(look(path / "rows.jsonl"))
    group = found.group.name if found.group else None
    return [column.name for column in found.inputs], found.target.name, group, found.others


def turns(*values):
    return [values[i % len(values)] for i in range(N)]


def test_a_label_and_its_number_are_the_same(tmp_path):
    columns = {"text": texts(9), "label": turns(0, 1), "label_name": turns("ham", "spam")}
    assert of(tmp_path, **columns) == (
        ["text"],
        "label_name",
        None,
        {"label": "says the same as `label_name`"},
    )


def test_of_several_ids_the_coarsest_keeps_rows_together(tmp_path):
    columns = {"ticketId": list(range(N)), "threadId": [i // 2 for i in range(N)]}
    columns |= {"user_id": [i // 4 for i in range(N)], "country_id": turns(1, 2), "body": texts(9)}
    inputs, target, group, others = of(tmp_path, **columns, queue=turns("a", "b"))
    assert (inputs, target, group) == (["body"], "queue", "user_id")
    assert others == {
        "ticketId": "a different one in every row",
        "threadId": "an id, by its name",
        "country_id": "an id, by its name",
    }


@pytest.mark.parametrize(
    ("columns", "inputs", "target"),
    [
        # A name that says so, before the kind of the cells, before the place in the file.
        ({"text": texts(9), "city": turns("a", "b"), "stars": turns(1, 2, 3)}, ["text"], "stars"),
        ({"text": texts(9), "stars": turns(1, 2, 3), "class": turns(1, 2)}, ["text"], "class"),
        ({"text": texts(9), "mood": turns("a", "b"), "weight": turns(1, 2, 3)}, ["text"], "mood"),
        ({"text": texts(9), "one": turns("a", "b"), "two": turns("a", "b", "c")}, ["text"], "two"),
        # Numbers of classes before other numbers.
        ({"text": texts(9), "flag": turns(0, 1), "size": [i * 0.5 for i in range(N)]}, ["text"], "flag"),
        # A person's name is no second input; of three texts the longest counts.
        ({"author": turns("A B", "C D"), "title": texts(4), "text": texts(20), "kind": turns("x", "y")},
         ["title", "text"], "kind"),
        ({"a": texts(4), "b": texts(20), "c": texts(8), "kind": turns("x", "y")}, ["b"], "kind"),
        # Names to be sorted: single words.
        ({"name": [f"Name{i}" for i in range(N)], "country": turns("x", "y")}, ["name"], "country"),
        # Scripts without spaces are texts.
        ({"t": [f"这个产品非常好用我很喜欢{i}" for i in range(N)], "kind": turns("x", "y")}, ["t"], "kind"),
    ],
)  # fmt: skip
def test_inputs_and_target_by_names_then_by_cells(columns, inputs, target, tmp_path):
    assert of(tmp_path, **columns)[:2] == (inputs, target)


def test_names_of_files_are_no_texts(tmp_path):
    columns = {"photo": [f"my photos/{i}.JPG" for i in range(N)], "kind": turns("x", "y")}
    with pytest.raises(DataError, match="`photo`: paths of images or sounds"):
        of(tmp_path, **columns)
    inputs, _, _, others = of(tmp_path, text=texts(9), **columns)
    assert (inputs, others) == (["text"], {"photo": "paths of images or sounds"})
