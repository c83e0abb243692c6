"""Whether a model has a vector for each token that its tokenizer makes; else trials end in an IndexError."""

from typing import Any

from torch import nn
from transformers import PreTrainedModel

from autoft.data.rows import listed
from autoft.errors import ModelError

_TYPES = "token_type_embeddings"
"""What models call the table that tells the texts of a pair apart."""


def require_known_tokens(model: PreTrainedModel, tokenizer: Any, n_inputs: int) -> None:
    """Refuse a tokenizer that makes what the model's embeddings have no row for.

    Args:
        model: pretrained.
        tokenizer: its tokenizer.
        n_inputs: text columns, 1 or 2.

    Raises:
        ModelError: says both sizes, some of the tokens, and what to do.
    """
    rows = _token_rows(model)
    if rows is not None:
        vocabulary = tokenizer.get_vocab()
        beyond = sorted(token for token, number in vocabulary.items() if number >= rows)
        if beyond:
            size = max(vocabulary.values()) + 1
            raise ModelError(
                f"its tokenizer has {size:,} tokens, but the model has embeddings for {rows:,}, so none for "
                f"{listed(beyond, '`')}. Add them (model.resize_token_embeddings({size})) and save model and "
                "tokenizer into one folder, or take the tokenizer that belongs to the model"
            )
    _require_known_types(model, tokenizer, n_inputs)


def _token_rows(model: PreTrainedModel) -> int | None:
    """None where tokens are not looked up in one table; CANINE hashes them, for example."""
    try:
        table = model.get_input_embeddings()
    except NotImplementedError:
        return None
    return table.num_embeddings if isinstance(table, nn.Embedding) else None


def _require_known_types(model: PreTrainedModel, tokenizer: Any, n_inputs: int) -> None:
    tables = [
        module
        for name, module in model.base_model.named_modules()
        if name.endswith(_TYPES) and isinstance(module, nn.Embedding)
    ]
    if not tables or "token_type_ids" not in tokenizer.model_input_names:
        return
    used = max(tokenizer(*["a"] * n_inputs)["token_type_ids"])
    kinds = min(table.num_embeddings for table in tables)
    if used >= kinds:
        raise ModelError(
            f"its tokenizer tells {used + 1} kinds of tokens apart (token_type_ids), but the model has "
            f"embeddings for {kinds} (type_vocab_size); take the tokenizer that belongs to the model"
        )
