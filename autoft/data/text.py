"""Texts to token ids, by a model's tokenizer."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from autoft.data.encoded import Array, Encoded, Ragged
from autoft.data.files import hasher

_CHUNK_ROWS = 1000
"""Rows tokenized at a time: bounds what is held as python lists."""


def tokenizer_fingerprint(tokenizer: Any) -> str:
    """32 hex digits of everything that decides how a tokenizer encodes."""
    key = hasher()
    about = [type(tokenizer).__name__, list(tokenizer.model_input_names), tokenizer.truncation_side]
    key.update(json.dumps(about).encode())
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        # Truncation and padding are the traces of the last call, not of the tokenizer.
        state = {k: v for k, v in json.loads(backend.to_str()).items() if k not in ("truncation", "padding")}
        key.update(json.dumps(state, sort_keys=True).encode())
        return key.hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        for file in sorted(Path(folder).rglob("*")):
            if file.is_file():
                key.update(file.name.encode() + b"\0" + file.read_bytes())
    return key.hexdigest()


WORDS = "words"
"""What `tokenize_words` calls its target."""


def tokenize(
    columns: Sequence[Sequence[str]],
    tokenizer: Any,
    max_length: int,
    targets: Mapping[str, Array] | None = None,
) -> Encoded:
    """Tokenizes one column of texts, or two for pairs, each [n].

    Rows (of a pair, the longer one) are cut at max_length. A row without any token, which no model could
    read, gets one: the unknown, end or padding token.

    Gives the inputs `input_ids` (int32) and, where the tokenizer makes them, `token_type_ids` (int8), both
    with special tokens.
    """
    encoded, _ = _tokenize(columns, tokenizer, max_length, words=False)
    return replace(encoded, targets=targets or {})


def tokenize_words(rows: Sequence[Sequence[str]], tokenizer: Any, max_length: int) -> Encoded:
    """Tokenizes rows of words [n], as `tokenize` does with texts; the tokenizer is a fast one.

    Its target `words` says for each token the number of the word that it begins, -1 where it begins none;
    int32, by row.
    """
    encoded, found = _tokenize([rows], tokenizer, max_length, words=True)
    starts = Ragged(np.array(found, np.int32), _offsets(encoded.lengths), -1)
    return replace(encoded, targets={WORDS: starts})


def _tokenize(
    columns: Sequence[Sequence[Any]], tokenizer: Any, max_length: int, words: bool
) -> tuple[Encoded, list[int]]:
    """The rows, and of rows of words where each one begins."""
    ids, types, lengths, starts = [], [], [], list[int]()
    for start in range(0, len(columns[0]), _CHUNK_ROWS):
        chunk = [list(column[start : start + _CHUNK_ROWS]) for column in columns]
        found = tokenizer(
            *chunk,
            truncation=True,
            max_length=max_length,
            padding=False,
            return_attention_mask=False,
            is_split_into_words=words,
        )
        for row in range(len(chunk[0]) if words else 0):
            starts += begins(found.word_ids(row)) or [-1]
        rows = found["input_ids"]
        row_types = found.get("token_type_ids")
        if not all(rows):
            row_types = row_types and [kinds or [0] for kinds in row_types]
            rows = [row or [_substitute(tokenizer)] for row in rows]
        lengths.append(np.fromiter(map(len, rows), np.int64, len(rows)))
        ids.append(np.fromiter(chain.from_iterable(rows), np.int32, lengths[-1].sum()))
        if row_types is not None:
            types.append(np.fromiter(chain.from_iterable(row_types), np.int8, lengths[-1].sum()))
    counts = np.concatenate(lengths) if lengths else np.zeros(0, np.int64)
    offsets = _offsets(counts)
    pad_id = tokenizer.pad_token_id or 0
    inputs: dict[str, Array] = {"input_ids": Ragged(_joined(ids, np.int32), offsets, pad_id)}
    if types:
        inputs["token_type_ids"] = Ragged(_joined(types, np.int8), offsets)
    return Encoded(inputs, {}, counts), starts


def _offsets(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def begins(word_ids: Sequence[int | None]) -> list[int]:
    """For each token the word that it begins, or -1."""
    before = [None, *word_ids]
    return [
        -1 if word is None or word == last else word for word, last in zip(word_ids, before, strict=False)
    ]


def _joined(parts: Sequence[np.ndarray], kind: type) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, kind)


def _substitute(tokenizer: Any) -> int:
    candidates = (tokenizer.unk_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    return next((token for token in candidates if token is not None), 0)
