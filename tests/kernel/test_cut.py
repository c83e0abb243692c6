"""How many rows are cut at `max_length`, and which length is named instead.

The tiny tokenizer makes a token of each word and puts one in front and one behind; of a pair, one between.
"""

import pandas as pd
import pytest

from autoft.data.prepare import examine
from autoft.kernel import cut
from autoft.kernel.cut import cut_rows
from autoft.kernel.model_summary import fit_to_models
from autoft.spec.read import read_spec

from ..data.prepared import RULES
from .tiny import COLORS, save_pretrained


@pytest.fixture
def said(tmp_path):
    """What is said of training rows with so many words, where one validation row has a single one."""
    save_pretrained("bert", tmp_path / "bert")  # 40 positions
    save_pretrained("t5", tmp_path / "t5")  # any number

    def said(words, model="bert", second=None, **space):
        inputs = ["text"] if second is None else ["text", "more"]
        rows = [(" ".join(["word"] * n), COLORS[i % 3]) for i, n in enumerate(words)]
        frame = pd.DataFrame([*rows], columns=["text", "color"])
        other = pd.DataFrame([("one", "red")], columns=["text", "color"])
        if second is not None:
            frame["more"], other["more"] = [" ".join(["more"] * n) for n in second], ["one"]
        spec = read_spec(
            {
                "study": "cut",
                "task": "text-classification",
                "model": [str(tmp_path / name) for name in model.split()],
                "data": {"inputs": inputs, "target": "color"},
                "objective": "macro_f1",
                "budget": {"trials": 1},
                "space": {"unfreeze_depth": 1, **space},
            },
            in_memory_data=True,
        )
        data = examine(spec.data, RULES, {"train": frame, "validation": other})
        spec, summary = fit_to_models(spec, data.targets, data.size("train"))
        return [str(each) for each in cut_rows(spec, data, summary)]

    return said


def test_rows_that_fit_are_nothing_to_tell(said):
    assert said([8] * 9, max_length=10) == []


def test_cut_rows_are_counted_and_a_length_for_most_and_for_all_is_named(said):
    # 100 rows with the one for validation: 1 of 3 tokens, 9 of 10, 86 of 22, 4 of 30.
    (text,) = said([8] * 9 + [20] * 86 + [28] * 4, max_length=16)
    assert text == (
        "`text`: 90 of 100 rows (90.0%) have more tokens than max_length 16 and are cut there. Raise "
        "space.max_length to keep rows whole: with 22 it is 95% of the rows, with 30 it is all of them"
    )


def test_it_is_the_largest_length_of_the_space_that_counts(said):
    rows = [8] * 9 + [20] * 90
    assert said(rows, max_length=[4, 22]) == []
    assert "than max_length 21 and" in said(rows, max_length={"low": 4, "high": 21})[0]


def test_no_length_is_named_that_the_model_does_not_take(said):
    rows = [20] * 60 + [60] * 39
    # With 40 the 60 rows of 22 tokens and the one of 3 are whole.
    assert said(rows, max_length=16)[0].endswith(
        "whole: with 40 it is 61.0% and is the most that the model takes"
    )
    assert said(rows, max_length=40)[0].endswith(
        "The model takes no more than 40: shorten the texts, or choose another model"
    )
    assert "with 62 it is all of them" in said(rows, model="t5", max_length=16)[0]


def test_of_a_pair_the_sum_counts_and_each_column_is_told(said):
    (text,) = said([8] * 60, second=[4] * 30 + [20] * 30, max_length=16)
    assert text.startswith(
        "`text` and `more`: 30 of 61 rows (49.2%) have more tokens than max_length 16 and are cut there "
        "(`text` alone in 0.0%, with up to 10; `more` alone in 49.2%, with up to 22). Raise"
    )
    assert "with 31 it is all of them" in text


def test_of_several_models_each_is_told_by_name(said):
    first, second = said([20] * 9, model="bert t5", max_length=16)
    assert "/bert than max_length 16" in first and "/t5 than max_length 16" in second


def test_of_very_many_rows_some_are_looked_at(said, monkeypatch):
    monkeypatch.setattr(cut, "MOST_ROWS", 10)
    assert "9 of 10 rows looked at (100 in all) (90.0%)" in said([20] * 99, max_length=16)[0]
