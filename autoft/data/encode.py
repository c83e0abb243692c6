"""Tokenized once for each tokenizer and length, kept as Arrow, mapped into every worker of the node."""

import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from autoft.data.files import hasher, locked, read_table, write_table
from autoft.errors import DataError

_LOG = logging.getLogger(__name__)

_CHUNK_ROWS = 1000
"""Rows tokenized at a time: bounds what is held as python lists."""


@dataclass(frozen=True)
class Tokens:
    """Token ids of n rows, end to end: row i is ids[offsets[i]:offsets[i + 1]], special tokens included."""

    ids: np.ndarray
    """int32 [tokens]."""
    offsets: np.ndarray
    """int64 [n + 1], from 0."""
    token_type_ids: np.ndarray | None
    """int8 [tokens]: which of a pair a token belongs to; None where the tokenizer gives none."""
    labels: np.ndarray
    """int32 [n]; -1 where a row has none."""

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row, int64 [n]."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True)
class Encoded:
    """The tokens of a study's splits; the arrays are read-only views of a mapped file."""

    splits: Mapping[str, Tokens]

    def __getitem__(self, split: str) -> Tokens:
        return self.splits[split]


def encoded_path(folder: Path, rows_digest: str, tokenizer: Any, max_length: int) -> Path:
    """Where these rows, tokenized so, belong in `folder`: named by all that decides the content."""
    import tokenizers
    import transformers

    key = hasher()
    parts = [
        "autoft tokens 1",
        rows_digest,
        tokenizer_fingerprint(tokenizer),
        max_length,
        transformers.__version__,
        tokenizers.__version__,
    ]
    key.update(json.dumps(parts).encode())
    return folder / f"tokens-{key.hexdigest()}.arrow"


def tokenizer_fingerprint(tokenizer: Any) -> str:
    """32 hex digits of everything that decides how a tokenizer encodes."""
    key = hasher()
    key.update(
        json.dumps(
            [type(tokenizer).__name__, list(tokenizer.model_input_names), tokenizer.truncation_side]
        ).encode()
    )
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


def tokenize(
    inputs: Sequence[Sequence[str]], tokenizer: Any, max_length: int, labels: Sequence[int] | None = None
) -> Tokens:
    """Tokenizes one column of texts, or two for pairs, each [n].

    Rows (of a pair, the longer one) are cut at max_length. A row without any token,
    which no model could read, gets one: the unknown, end or padding token.
    """
    ids, types, lengths = [], [], []
    n = len(inputs[0])
    for start in range(0, n, _CHUNK_ROWS):
        columns = [list(column[start : start + _CHUNK_ROWS]) for column in inputs]
        encoded = tokenizer(
            *columns, truncation=True, max_length=max_length, padding=False, return_attention_mask=False
        )
        rows = encoded["input_ids"]
        row_types = encoded.get("token_type_ids")
        if not all(rows):
            row_types = row_types and [kinds or [0] for kinds in row_types]
            rows = [row or [_substitute(tokenizer)] for row in rows]
        lengths.append(np.fromiter(map(len, rows), np.int64, len(rows)))
        ids.append(np.fromiter(chain.from_iterable(rows), np.int32, lengths[-1].sum()))
        if row_types is not None:
            types.append(np.fromiter(chain.from_iterable(row_types), np.int8, lengths[-1].sum()))
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths or [np.zeros(0, np.int64)]))]).astype(
        np.int64
    )
    return Tokens(
        ids=np.concatenate(ids) if ids else np.zeros(0, np.int32),
        offsets=offsets,
        token_type_ids=np.concatenate(types) if types else None,
        labels=np.full(n, -1, np.int32) if labels is None else np.asarray(labels, np.int32),
    )


def encode(rows: pa.Table, tokenizer: Any, max_length: int, path: Path) -> Encoded:
    """The tokens of `rows` (as `prepare` writes them), from the file at `path`, which is made if need be.

    `path` comes from `encoded_path`. One process of the node tokenizes while the others wait; a damaged file
    is noticed by its digest and made again.
    """
    encoded = _open(path)
    if encoded is None:
        with locked(path):
            encoded = _open(path)
            if encoded is None:
                if path.exists():
                    _LOG.warning("%s: the file is damaged; the rows are tokenized again", path.name)
                _write(rows, tokenizer, max_length, path)
                encoded = _open(path)
    if encoded is None:
        raise DataError(f"{path}: cannot be read right after it was written; is the disk full or broken?")
    return encoded


def _write(rows: pa.Table, tokenizer: Any, max_length: int, path: Path) -> None:
    inputs = [rows.column(name).to_pylist() for name in rows.column_names if name.startswith("input_")]
    tokens = tokenize(inputs, tokenizer, max_length, rows.column("label").to_numpy())
    columns = {"ids": pa.LargeListArray.from_arrays(tokens.offsets, tokens.ids)}
    if tokens.token_type_ids is not None:
        columns["token_type_ids"] = pa.LargeListArray.from_arrays(tokens.offsets, tokens.token_type_ids)
    columns["label"] = pa.array(tokens.labels)
    columns["split"] = rows.column("split").combine_chunks()
    splits = rows.column("split").to_pylist()
    ends = {name: i + 1 for i, name in enumerate(splits)}
    table = pa.table(columns).replace_schema_metadata({"digest": _digest(tokens), "ends": json.dumps(ends)})
    write_table(table, path)


def _open(path: Path) -> Encoded | None:
    """None where the file is missing, cut short, or not what was written."""
    try:
        table = read_table(path)
        metadata = table.schema.metadata
        lists = table.column("ids").chunk(0)
        kinds = table.column("token_type_ids").chunk(0) if "token_type_ids" in table.column_names else None
        tokens = Tokens(
            ids=lists.values.to_numpy(zero_copy_only=True),
            offsets=lists.offsets.to_numpy(zero_copy_only=True),
            token_type_ids=None if kinds is None else kinds.values.to_numpy(zero_copy_only=True),
            labels=table.column("label").chunk(0).to_numpy(zero_copy_only=True),
        )
        if _digest(tokens) != metadata[b"digest"].decode():
            return None
        ends: dict[str, int] = json.loads(metadata[b"ends"])
    except (DataError, pa.ArrowException, OSError, KeyError, TypeError, ValueError, IndexError):
        return None
    starts = [0, *ends.values()]
    return Encoded(
        {name: _slice(tokens, start, end) for (name, end), start in zip(ends.items(), starts, strict=False)}
    )


def _slice(tokens: Tokens, start: int, end: int) -> Tokens:
    first, last = tokens.offsets[start], tokens.offsets[end]
    return Tokens(
        ids=tokens.ids[first:last],
        offsets=tokens.offsets[start : end + 1] - first,
        token_type_ids=None if tokens.token_type_ids is None else tokens.token_type_ids[first:last],
        labels=tokens.labels[start:end],
    )


def _digest(tokens: Tokens) -> str:
    digest = hasher()
    for array in (tokens.ids, tokens.offsets, tokens.token_type_ids, tokens.labels):
        digest.update(b"-" if array is None else np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _substitute(tokenizer: Any) -> int:
    candidates = (tokenizer.unk_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    return next((token for token in candidates if token is not None), 0)
