"""What is said of targets that can be read off the inputs; how they are found is in `test_planted`."""

import pytest

from .rows import LABELS, clean, found_in


def test_the_word_the_label_and_rows_are_named():
    splits = clean("text-classification")
    for split in splits.values():
        split["text"] = split["text"].where(split["target"] != "delivery", "ext: " + split["text"])
    (found,) = found_in("text-classification", splits)
    assert str(found).startswith(
        """column `text`: a word names the label nearly always, 'ext:' for 'delivery' (iloc 1 """
    )
    assert "is 'delivery'" in found.examples[0]
    assert found.counts == {"rows": 40, "train": 120}


def test_words_of_a_label_s_own_name_are_what_its_texts_are_about():
    splits = clean("text-classification")
    for split in splits.values():
        split["text"] = split["text"].where(split["target"] != "card problem", split["text"] + " card")
    assert found_in("text-classification", splits) == []


def test_a_word_that_other_labels_have_too_or_few_rows_have_tells_nothing():
    splits = clean("text-classification")
    train = splits["train"]
    often = train.index[train["target"] == "delivery"].tolist() + list(range(0, 12, 3))
    train.loc[often, "text"] += " parcel"  # 4 of 44 are refunds
    seldom = train.index[train["target"] == "refund"][:19]
    train.loc[seldom, "text"] += " money"
    assert found_in("text-classification", splits) == []


def test_numbers_that_have_nothing_to_do_with_the_target_are_none():
    splits = clean("text-regression")
    for split in splits.values():
        split["text"] = [f"order {i * 7 % 31} {text}" for i, text in enumerate(split["text"])]
    assert found_in("text-regression", splits) == []
    for split in splits.values():
        split["text"] = [f"{-n} {text}" for n, text in zip(split["target"], split["text"], strict=True)]
    (found,) = found_in("text-regression", splits)
    assert "the first number in 120 of 120 training rows looked at tells the target" in str(found)


@pytest.mark.parametrize("form", ["{}-{}", "{}{}", "{}_{}", "2026/{}/{}"])
@pytest.mark.parametrize("codes", [("BI", "LO", "KA"), ("11", "12", "23")])
def test_a_code_is_found_in_words_of_which_no_two_are_the_same(form, codes):
    splits = clean("text-classification")
    code = dict(zip(LABELS, codes, strict=True))
    for split in splits.values():
        rows = enumerate(zip(split["text"], split["target"], strict=True), start=1000)
        split["text"] = [f"{form.format(code[label], number)} {text}" for number, (text, label) in rows]
    (found,) = found_in("text-classification", splits)
    assert all(f" for {label!r}" in found.said for label in LABELS)
    assert found.counts == {"rows": 120, "train": 120}


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("order {other} rated {target} of 5: {text}", "the second number in 120"),
        # As many numbers before it and after it as it comes.
        ("{some} rated {target} stars {few} {text}", "the number after 'rated' in 120"),
        ("{some} {target}% {few} {text}", "a number in 120 of 120 training rows looked at is the target"),
        ("{some} {few} {text}", None),
    ],
)
def test_a_number_in_the_middle_tells_as_well(form, said):
    splits = clean("text-regression")
    for split in splits.values():
        rows = enumerate(zip(split["text"], split["target"], strict=True))
        split["text"] = [
            form.format(text=text, target=target, other=i * 7 % 31, some="3 " * (i % 23), few="8 " * (i % 17))
            for i, (text, target) in rows
        ]
    found = found_in("text-regression", splits)
    assert [said in str(each) for each in found] == ([True] if said else [])


def test_a_text_that_names_all_values_tells_none():
    splits = clean("text-regression")
    for split in splits.values():
        split["target"] = [float(1 + i * i % 5) for i in range(len(split))]
        split["text"] = "stars: 1 2 3 4 5 " + split["text"]
    assert found_in("text-regression", splits) == []
