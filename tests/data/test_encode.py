import os
import time
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import CanineTokenizer, PreTrainedTokenizerFast

from autoft.data import encode as encode_module
from autoft.data.encode import encode, encoded_path, tokenize, tokenizer_fingerprint
from autoft.data.files import read_table
from autoft.spec.study import DataSpec

from .prepared import prepare

VOCAB = {
    word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "lamp", "late", "broken", "money"])
}


def make_tokenizer(with_types=True, **vocab):
    backend = Tokenizer(models.WordLevel({**VOCAB, **vocab}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = (
        ["input_ids", "token_type_ids", "attention_mask"] if with_types else ["input_ids", "attention_mask"]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", model_input_names=names
    )


@pytest.fixture
def rows(tmp_path):
    words = ["lamp", "late lamp", "broken lamp late", "money"]
    frame = pd.DataFrame({"a": words * 5, "b": ["late"] * 20, "queue": ["x", "y"] * 10})
    return read_table(prepare(DataSpec(("a", "b"), "queue"), tmp_path, {"train": frame}).rows_path)


def test_pairs_are_encoded_as_the_tokenizer_does_row_by_row(rows, tmp_path):
    tokenizer = make_tokenizer()
    encoded = encode(rows, tokenizer, 6, tmp_path / "tokens.arrow")
    for split, tokens in encoded.splits.items():
        expected = [row for row in rows.to_pylist() if row["split"] == split]
        assert len(tokens) == len(expected) and tokens.labels.tolist() == [row["label"] for row in expected]
        for i, row in enumerate(expected):
            one = tokenizer(row["input_0"], row["input_1"], truncation=True, max_length=6)
            part = slice(tokens.offsets[i], tokens.offsets[i + 1])
            assert tokens.ids[part].tolist() == one["input_ids"]
            assert tokens.token_type_ids[part].tolist() == one["token_type_ids"]
            assert tokens.lengths[i] == len(one["input_ids"]) <= 6


def test_long_columns_are_tokenized_in_chunks_without_a_seam(monkeypatch):
    texts = [("lamp " * (i % 7)).strip() or "late" for i in range(23)]
    whole = tokenize([texts], make_tokenizer(), 5)
    monkeypatch.setattr(encode_module, "_CHUNK_ROWS", 4)
    chunked = tokenize([texts], make_tokenizer(), 5)
    assert (whole.ids == chunked.ids).all() and (whole.offsets == chunked.offsets).all()
    assert whole.labels.tolist() == [-1] * 23


def test_a_row_without_tokens_gets_one():
    tokenizer = make_tokenizer()
    tokenizer.backend_tokenizer.post_processor = None
    tokens = tokenize([["", "lamp"]], tokenizer, 5)
    assert tokens.ids.tolist() == [VOCAB["[UNK]"], VOCAB["lamp"]] and tokens.lengths.tolist() == [1, 1]


def test_no_rows_at_all():
    assert len(tokenize([[]], make_tokenizer(), 5)) == 0


def test_the_file_is_mapped_and_made_once(rows, tmp_path, monkeypatch):
    path = tmp_path / "tokens.arrow"
    first = encode(rows, make_tokenizer(with_types=False), 6, path)
    monkeypatch.setattr(encode_module, "tokenize", None)  # whoever tokenizes now fails
    second = encode(rows, make_tokenizer(with_types=False), 6, path)
    assert second["train"].token_type_ids is None
    assert (first["validation"].ids == second["validation"].ids).all()
    assert not second["train"].ids.flags.owndata and not second["train"].ids.flags.writeable


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "other"])
def test_a_damaged_file_is_noticed_and_made_again(rows, tmp_path, damage):
    path = tmp_path / "tokens.arrow"
    ids = encode(rows, make_tokenizer(), 6, path)["train"].ids.tolist()
    content = bytearray(path.read_bytes())
    if damage == "flip":
        at = content.find(np.array(ids[:4], np.int32).tobytes())
        content[at] ^= 1
    damaged = {"cut": content[: len(content) // 2], "flip": content, "empty": b"", "other": b"ARROW1 or so"}[
        damage
    ]
    path.unlink()  # the mapped file stays as it was
    path.write_bytes(damaged)
    assert encode(rows, make_tokenizer(), 6, path)["train"].ids.tolist() == ids


def test_the_files_name_is_a_key_over_all_that_decides_its_content(tmp_path):
    tokenizer = make_tokenizer()
    name = encoded_path(tmp_path, "digest", tokenizer, 6)
    tokenizer(
        ["lamp late"], truncation=True, max_length=2, padding="max_length"
    )  # leaves traces in the backend
    assert encoded_path(tmp_path, "digest", tokenizer, 6) == name
    others = [
        encoded_path(tmp_path, "another", tokenizer, 6),
        encoded_path(tmp_path, "digest", tokenizer, 7),
        encoded_path(tmp_path, "digest", make_tokenizer(refund=8), 6),
        encoded_path(tmp_path, "digest", make_tokenizer(with_types=False), 6),
    ]
    assert len({name, *others}) == 5


def test_a_tokenizer_in_python_has_a_fingerprint_too():
    assert tokenizer_fingerprint(CanineTokenizer()) == tokenizer_fingerprint(CanineTokenizer())
    assert tokenizer_fingerprint(CanineTokenizer()) != tokenizer_fingerprint(make_tokenizer())


def slow_encode(rows, path, log):
    tokenize_for_real = encode_module.tokenize

    def slow_tokenize(*arguments):
        with open(log, "a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.3)
        return tokenize_for_real(*arguments)

    encode_module.tokenize = slow_tokenize
    encode(rows, make_tokenizer(), 6, path)


def test_only_one_worker_of_a_node_tokenizes(rows, tmp_path):
    context = get_context("fork")  # cheap, and nothing has started a thread that matters here
    arguments = (rows, tmp_path / "tokens.arrow", tmp_path / "log")
    workers = [context.Process(target=slow_encode, args=arguments) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len((tmp_path / "log").read_text().split()) == 1
