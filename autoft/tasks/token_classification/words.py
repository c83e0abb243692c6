"""A tokenizer that takes lists of words."""

from typing import Any

from autoft.tasks.text import load_tokenizer


def load_word_tokenizer(path_or_id: str, **where: Any) -> Any:
    """The tokenizer that lies with a model, set so that it takes lists of words.

    Raises:
        OSError: its files are missing, or it cannot say which word a token is of.
    """
    tokenizer = load_tokenizer(path_or_id, **where)
    if not tokenizer.is_fast:
        raise OSError(
            f"{type(tokenizer).__name__} does not say which word a token is of; token-classification needs a "
            "fast tokenizer (tokenizer.json)"
        )
    if getattr(tokenizer, "add_prefix_space", None) is False:  # of GPT-2's kind, where a space begins a word
        tokenizer = load_tokenizer(path_or_id, add_prefix_space=True, **where)
    return tokenizer
