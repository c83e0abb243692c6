from pathlib import Path

import pytest
from transformers import AutoTokenizer, BertTokenizer, GPT2Tokenizer, PreTrainedTokenizerBase

from autoft.tracking.self_truncating import self_truncating


@pytest.fixture(params=["bert", "gpt2"])
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerBase:
    if request.param == "bert":
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "4", "##2", "hello", "world"]
        return BertTokenizer(vocab={word: index for index, word in enumerate(words)})
    letters = ["<|endoftext|>", "h", "e", "l", "o", "Ġ", "w", "r", "d", "4", "2"]
    made = GPT2Tokenizer(vocab={word: index for index, word in enumerate(letters)}, merges=[])
    made.pad_token = made.eos_token
    return made


@pytest.fixture
def saved(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> Path:
    self_truncating(tokenizer, 6).save_pretrained(tmp_path / "tokenizer")
    return tmp_path / "tokenizer"


def test_it_cuts_after_saving_and_loading_and_saving_again(saved: Path, tmp_path: Path) -> None:
    loaded = AutoTokenizer.from_pretrained(saved, trust_remote_code=True)
    loaded.save_pretrained(tmp_path / "again")
    for folder in (saved, tmp_path / "again"):
        loaded = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
        assert len(loaded("hello world " * 50)["input_ids"]) == 6
        assert len(loaded("hello " * 50, "world " * 50)["input_ids"]) == 6
        assert len(loaded(text="hello " * 50, text_pair="world " * 50)["input_ids"]) == 6
        assert len(loaded(["hello " * 50, "world"])["input_ids"][0]) == 6
        assert len(loaded("hello " * 50, truncation=False)["input_ids"]) > 6


def test_it_encodes_as_the_tokenizer_it_was_made_from(saved: Path) -> None:
    plain = AutoTokenizer.from_pretrained(saved, trust_remote_code=False)
    cutting = AutoTokenizer.from_pretrained(saved, trust_remote_code=True)
    assert type(plain).__name__ in ("BertTokenizer", "GPT2Tokenizer")
    assert isinstance(cutting, type(plain))
    for texts in (("hello",), ("hello world " * 9,), ("hello " * 9, "world")):
        assert dict(cutting(*texts)) == dict(plain(*texts, truncation=True, max_length=6))


def test_empty_text_is_at_least_one_token(saved: Path) -> None:
    loaded = AutoTokenizer.from_pretrained(saved, trust_remote_code=True)
    assert len(loaded("", return_tensors="pt")["input_ids"][0]) >= 1  # a model cannot run on none


def test_number_is_read_as_the_text_that_it_was(saved: Path) -> None:
    loaded = AutoTokenizer.from_pretrained(saved, trust_remote_code=True)
    assert dict(loaded(42)) == dict(loaded("42"))


def test_saved_file_stands_alone(saved: Path) -> None:
    imports = [
        line for line in (saved / "self_truncating.py").read_text().splitlines() if " import " in f" {line}"
    ]
    assert imports and not [line for line in imports if line.startswith(("import autoft", "from autoft"))]
