"""Leakage planted in rows of every task is found, each by its rule alone; clean rows have none."""

from collections.abc import Callable

import pytest

from autoft.data.prepare import examine
from autoft.errors import DataError
from autoft.judge.preflight import preflight, require_no_errors
from autoft.spec.read import read_spec
from autoft.tasks.find import find_task

from ...conftest import REPOSITORY
from .rows import OBJECTIVES, Splits, clean, found_in

TEXT, NUMBERS, SETS, TAGS = OBJECTIVES


def copied(splits: Splits, change: Callable[[object], object] = lambda cell: cell) -> None:
    """Five rows of train stand in test too, changed."""
    for i in range(5):
        row = splits["train"].iloc[i].copy()
        row["text"] = change(row["text"])
        splits["test"].iloc[i] = row


def exact(splits: Splits) -> None:
    copied(splits)


def written_otherwise(splits: Splits) -> None:
    copied(splits, lambda text: f"  {str(text).upper()}\u200b")


def nearly(splits: Splits) -> None:
    copied(splits, lambda text: f"{text}, thanks!")


def whole_pairs(splits: Splits) -> None:
    """Of a pair both texts count: that one of them is there again with another says nothing."""
    copied(splits)
    splits["validation"].iloc[0, splits["validation"].columns.get_loc("text")] = splits["train"]["text"][9]


def premises(splits: Splits) -> None:
    for split in splits.values():
        split["text"] = [f"{splits['train']['text'][i // 4]}" for i in range(len(split))]


def marked(splits: Splits) -> None:
    for split in splits.values():
        split["text"] = [f"{t} #{c[0]}7" for t, c in zip(split["text"], split["target"], strict=True)]


def coded(splits: Splits) -> None:
    """No two rows have a word in common: `BI-17`, `BI-20`."""
    codes = {"refund": "BI", "delivery": "LO", "card problem": "KA"}
    for at, split in enumerate(splits.values()):
        numbers = range(1000 * at, 1000 * at + len(split))
        split["text"] = [
            f"{codes[c]}-{n} {t}" for n, t, c in zip(numbers, split["text"], split["target"], strict=True)
        ]


def one_label_marked(splits: Splits) -> None:
    for split in splits.values():
        split["text"] = split["text"].where(split["target"] != "delivery", "ext: " + split["text"])


def named(splits: Splits) -> None:
    for split in splits.values():
        split["text"] = split["text"] + " (Queue: " + split["target"].str.upper() + ")"


def column_of_the_pair(splits: Splits) -> None:
    for split in splits.values():
        split["other"] = split["target"].map({"refund": "r 1", "delivery": "r 2", "card problem": "r 3"})


def price_in_cents(splits: Splits) -> None:
    for split in splits.values():
        split["text"] = [f"{t} {n * 100:.0f}" for t, n in zip(split["text"], split["target"], strict=True)]


def rated(splits: Splits) -> None:
    for split in splits.values():
        rows = enumerate(zip(split["text"], split["target"], strict=True))
        split["text"] = [f"Order {i * 7 % 31} rated {n} of 90: {t}" for i, (t, n) in rows]


def with_a_footer(splits: Splits) -> None:
    """All validation rows are training rows, with the 69 characters of a telephone."""
    footer = " -- Sent from my phone, please excuse brevity and all the typos in it."
    rows = splits["train"][:40].reset_index(drop=True)
    splits["validation"] = rows.assign(text=rows["text"].str[:35] + footer)
    splits["train"]["text"] = splits["train"]["text"].str[:35]


def swapped(splits: Splits) -> None:
    rows = splits["train"][:40].reset_index(drop=True)
    splits["validation"] = rows.assign(text=rows["other"], other=rows["text"])


def all_listed(splits: Splits) -> None:
    for split in splits.values():
        split["text"] = [f"{t} {'/'.join(c)}" for t, c in zip(split["text"], split["target"], strict=True)]


def tagged_words(splits: Splits) -> None:
    for split in splits.values():
        split["text"] = [
            [word if tag == "O" else f"{word}/{tag}" for word, tag in zip(words, tags, strict=True)]
            for words, tags in zip(split["text"], split["target"], strict=True)
        ]


def customers(splits: Splits) -> None:
    for split in splits.values():
        split["customer_id"] = [f"c{i // 3}" for i in range(len(split))]


def other_shares(splits: Splits) -> None:
    splits["validation"]["target"] = ["refund"] * 29 + ["delivery"] * 10 + ["card problem"]


PAIR = ["text", "other"]
PLANTED = [
    (TEXT, exact, "text", "copies"),
    (TEXT, written_otherwise, "text", "copies"),
    (TEXT, nearly, "text", "near copies"),
    (TEXT, with_a_footer, "text", "near copies"),
    (TEXT, swapped, PAIR, "near copies"),
    (TEXT, marked, "text", "readable target"),
    (TEXT, coded, "text", "readable target"),
    (TEXT, one_label_marked, "text", "readable target"),
    (TEXT, named, "text", "readable target"),
    (TEXT, other_shares, "text", "shares"),
    (TEXT, whole_pairs, PAIR, "copies"),
    (TEXT, premises, PAIR, "groups"),
    (TEXT, column_of_the_pair, PAIR, "readable target"),
    (NUMBERS, nearly, "text", "near copies"),
    (NUMBERS, with_a_footer, "text", "near copies"),
    (NUMBERS, price_in_cents, "text", "readable target"),
    (NUMBERS, rated, "text", "readable target"),
    (SETS, exact, "text", "copies"),
    (SETS, all_listed, "text", "readable target"),
    (TAGS, exact, "text", "copies"),
    (TAGS, tagged_words, "text", "readable target"),
    (TEXT, customers, "text", "groups"),
    (SETS, customers, "text", "groups"),
]


@pytest.mark.parametrize(("task", "plant", "inputs", "rule"), PLANTED)
def test_what_is_planted_is_found(task, plant, inputs, rule):
    splits = clean(task)
    plant(splits)
    found = found_in(task, splits, inputs)
    assert {each.rule for each in found} == {rule}
    assert all(sum(each.counts.values()) for each in found)
    assert {each.severity for each in found} == {"error" if rule == "copies" else "warning"}


@pytest.mark.parametrize("task", OBJECTIVES)
def test_in_clean_rows_nothing_is_found(task):
    assert found_in(task, clean(task)) == []
    assert task != TEXT or found_in(task, clean(task), PAIR) == []


def test_groups_that_the_user_names_must_not_be_in_two_splits():
    splits = clean(TEXT)
    customers(splits)
    (found,) = found_in(TEXT, splits, split={"group": "customer_id"})
    assert (found.rule, found.severity) == ("groups", "error")


@pytest.mark.parametrize("name", ["quickstart", "text-regression"])
def test_the_rows_that_come_with_the_project_are_clean(name):
    spec = read_spec(REPOSITORY / "search_spaces" / f"{name}.yaml")
    assert preflight(spec, examine(spec.data, find_task(spec.task))) == ()


def test_a_search_refuses_errors_all_together_and_takes_warnings():
    splits = clean(TEXT)
    exact(splits)
    splits["validation"].iloc[0] = splits["train"].iloc[9]
    with pytest.raises(DataError, match=r"(?s)1 of 40 validation .*on_leak.*\n.*5 of 40 test rows are also"):
        require_no_errors(found_in(TEXT, splits))
    require_no_errors(found_in(TEXT, splits, on_leak="warn"))
