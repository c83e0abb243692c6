from autoft.data.longest_rows import longest
from autoft.data.prepare import examine
from autoft.spec.read import read_spec

from ..main_job import SPACE
from ..tasks.toys import toy_rows
from .prepared import RULES


def test_the_longest_rows_train_and_rows_of_all_lengths_are_evaluated():
    rows = examine(read_spec(SPACE).data, RULES)
    few = longest(rows, 48, 32)
    train, validation = (few.tables[split] for split in ("train", "validation"))
    assert (len(train), len(validation)) == (48, 32)
    texts = sorted(map(len, rows.tables["train"]["input_0"].to_pylist()), reverse=True)
    taken = list(map(len, train["input_0"].to_pylist()))
    assert taken == texts[:48]
    evaluated = list(map(len, validation["input_0"].to_pylist()))
    of_all = sorted(map(len, rows.tables["validation"]["input_0"].to_pylist()))
    assert (evaluated[0], evaluated[-1]) == (of_all[0], of_all[-1])


def test_where_there_are_few_rows_all_are_taken():
    rows = examine(read_spec(SPACE).data, RULES)
    few = longest(rows, 10_000, 10_000)
    assert [len(few.tables[split]) for split in ("train", "validation")] == [633, 136]


def test_of_rows_of_words_those_with_the_most_characters_are_the_longest():
    rows = toy_rows("token-classification")
    few = longest(rows, 5, 3)
    lengths = sorted(
        (len(" ".join(words)) for words in rows.tables["train"]["input_0"].to_pylist()), reverse=True
    )
    assert [len(" ".join(words)) for words in few.tables["train"]["input_0"].to_pylist()] == lengths[:5]
    assert few.targets == rows.targets
