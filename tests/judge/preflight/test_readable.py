"""What is said of targets that can be read off the inputs; how they are found is in `test_planted`."""

from .rows import clean, found_in


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
