from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import CanineTokenizer, PreTrainedTokenizerFast

from autoft.data import text
from autoft.data.text import WORDS, tokenize, tokenize_words, tokenizer_fingerprint

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


def test_pairs_are_encoded_as_the_tokenizer_does_row_by_row():
    tokenizer, first = make_tokenizer(), ["lamp", "late lamp", "broken lamp late", "money"]
    encoded = tokenize([first, ["late"] * 4], tokenizer, 6)
    ids, kinds = encoded.inputs["input_ids"], encoded.inputs["token_type_ids"]
    for i, words in enumerate(first):
        one = tokenizer(words, "late", truncation=True, max_length=6)
        part = slice(ids.offsets[i], ids.offsets[i + 1])
        assert ids.values[part].tolist() == one["input_ids"]
        assert kinds.values[part].tolist() == one["token_type_ids"]
        assert encoded.lengths[i] == len(one["input_ids"]) <= 6
    assert ids.fill == VOCAB["[PAD]"] and set(encoded.inputs) == {"input_ids", "token_type_ids"}


def test_no_token_types_where_the_tokenizer_makes_none():
    assert set(tokenize([["lamp"]], make_tokenizer(with_types=False), 6).inputs) == {"input_ids"}


def test_long_columns_are_tokenized_in_chunks_without_a_seam(monkeypatch):
    texts = [("lamp " * (i % 7)).strip() or "late" for i in range(23)]
    whole = tokenize([texts], make_tokenizer(), 5)
    monkeypatch.setattr(text, "_CHUNK_ROWS", 4)
    chunked = tokenize([texts], make_tokenizer(), 5)
    one, other = (each.inputs["input_ids"] for each in (whole, chunked))
    assert (one.values == other.values).all() and (one.offsets == other.offsets).all()
    assert len(whole) == 23 and not whole.targets


def test_a_row_without_tokens_gets_one():
    tokenizer = make_tokenizer()
    tokenizer.backend_tokenizer.post_processor = None
    tokens = tokenize([["", "lamp"]], tokenizer, 5)
    assert tokens.inputs["input_ids"].values.tolist() == [
        VOCAB["[UNK]"],
        VOCAB["lamp"],
    ] and tokens.lengths.tolist() == [1, 1]


def test_no_rows_at_all():
    assert len(tokenize([[]], make_tokenizer(), 5)) == 0


def test_a_tokenizer_in_python_has_a_fingerprint_too():
    assert tokenizer_fingerprint(CanineTokenizer()) == tokenizer_fingerprint(CanineTokenizer())
    assert tokenizer_fingerprint(CanineTokenizer()) != tokenizer_fingerprint(make_tokenizer())


def test_words_are_encoded_as_the_tokenizer_does_and_each_one_s_first_token_is_known():
    tokenizer = make_tokenizer()
    # Whitespace, which cuts at punctuation too, makes three tokens of one word.
    rows = [["late", "lamp-broken", "money"], ["lamp"], ["late"] * 6]
    encoded = tokenize_words(rows, tokenizer, 6)
    ids, words = encoded.inputs["input_ids"], encoded.targets[WORDS]
    for i, row in enumerate(rows):
        whole = tokenizer(row, is_split_into_words=True, truncation=True, max_length=6)
        part = slice(ids.offsets[i], ids.offsets[i + 1])
        assert ids.values[part].tolist() == whole["input_ids"]
    # [CLS] late lamp - broken [SEP], without the last word; then one word; then four of six.
    assert words.values.tolist() == [-1, 0, 1, -1, -1, -1, -1, 0, -1, -1, 0, 1, 2, 3, -1]
    assert words.offsets.tolist() == ids.offsets.tolist() == [0, 6, 9, 15]
    assert words.fill == -1


def test_rows_of_words_are_tokenized_in_chunks_without_a_seam(monkeypatch):
    rows = [["lamp"] * (1 + i % 5) for i in range(23)]
    whole = tokenize_words(rows, make_tokenizer(), 6)
    monkeypatch.setattr(text, "_CHUNK_ROWS", 4)
    chunked = tokenize_words(rows, make_tokenizer(), 6)
    for one, other in ((each.inputs["input_ids"], each.targets[WORDS]) for each in (whole, chunked)):
        assert len(one.values) == len(other.values)
    assert (whole.targets[WORDS].values == chunked.targets[WORDS].values).all()
    assert (whole.lengths == chunked.lengths).all()


def test_a_row_of_words_without_tokens_gets_one_that_begins_none():
    tokenizer = make_tokenizer()
    tokenizer.backend_tokenizer.post_processor = None
    encoded = tokenize_words([[" "], ["lamp", " ", "late"]], tokenizer, 5)
    assert encoded.inputs["input_ids"].values.tolist() == [VOCAB[w] for w in ("[UNK]", "lamp", "late")]
    assert encoded.targets[WORDS].values.tolist() == [-1, 0, 2]
