"""What all tasks on texts share: the tokenizer, and rows as tokens."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from transformers import AutoTokenizer, TextClassificationPipeline

from autoft.data.encoded import Array, Encoded
from autoft.data.overlap import texts_of
from autoft.data.targets import Targets
from autoft.data.text import tokenize
from autoft.tasks.protocol import Served


def load_tokenizer(path_or_id: str, **where: Any) -> Any:
    """The tokenizer that lies with a model; it pads on the right.

    Raises:
        OSError: its files are missing.
    """
    tokenizer = AutoTokenizer.from_pretrained(path_or_id, **where)
    # Without its files transformers makes an empty one and says nothing.
    if len(tokenizer) <= len(set(tokenizer.all_special_tokens)):
        raise OSError("there are no tokenizer files (tokenizer.json or a vocabulary)")
    tokenizer.padding_side = "right"
    if tokenizer.pad_token is None:  # GPT-2 and its like have none
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return tokenizer


def input_columns(rows: pa.Table) -> list[Sequence[Any]]:
    """The inputs of `rows` (of rows.arrow), a column each [n]."""
    return [rows.column(name).to_pylist() for name in rows.column_names if name.startswith("input_")]


def encode_texts(
    rows: pa.Table, tokenizer: Any, values: Mapping[str, Any], targets: Mapping[str, Array]
) -> Encoded:
    """The inputs of `rows` as tokens, cut at `values["max_length"]`, with encoded `targets`."""
    return tokenize(input_columns(rows), tokenizer, int(values["max_length"]), targets)


SCORED = ({"type": "string", "name": "label"}, {"type": "double", "name": "score"})
"""What transformers' pipeline for whole texts answers, in columns."""


def serve_texts(example: pa.Table, targets: Targets) -> Served:
    """How a model with a head for whole texts is called."""
    return serve(example, SCORED)


def serve(
    example: pa.Table, outputs: Sequence[Mapping[str, Any]], arguments: Mapping[str, Any] | None = None
) -> Served:
    """How a model of texts is called that answers in the columns `outputs`.

    One text column has no name: pyfunc then takes a string, a list of them, or a frame with the column
    `text`. A pair has the columns `text` and `text_pair`.
    """
    texts = texts_of(example)[0]
    if len(texts) == 1:
        return Served([{"type": "string"}], outputs, [texts[0]], arguments or {})
    names = ("text", "text_pair")
    inputs = [{"type": "string", "name": name} for name in names]
    return Served(inputs, outputs, dict(zip(names, texts, strict=True)), arguments or {})


def text_classification_pipeline(model: Any, tokenizer: Any) -> TextClassificationPipeline:
    """The pipeline of a model with a head for whole texts; by the model's configuration it knows which."""
    return TextClassificationPipeline(  # type: ignore[no-untyped-call]
        model=model.eval(), tokenizer=tokenizer, task="text-classification", device=model.device
    )
