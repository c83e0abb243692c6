"""A tokenizer that truncates its input at `model_max_length` unless it is told otherwise.

autoft saves this file beside the tokenizer of a model that it registers. Pipelines do not keep their
`truncation` argument when they are saved, and fail on texts that are longer than the model takes; so the
tokenizer does it. The file stands alone: it needs transformers and nothing of autoft.
"""

import json
import os
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerBase


class SelfTruncating:
    """A mixin before a tokenizer's own class that changes the defaults of a call."""

    _auto_class = "AutoTokenizer"  # save_pretrained then copies this file and refers to it

    def __call__(self, text: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Calls the tokenizer, with `truncation=True` as the default."""
        if isinstance(text, (int, float)):
            text = str(text)  # mlflow.pyfunc reads a lone text such as "42" as a number
        if text == "" and not args and not kwargs.get("text_pair"):
            text = self._for_empty()
        kwargs.setdefault("truncation", True)
        return super().__call__(text, *args, **kwargs)  # type: ignore[misc]  # the tokenizer's

    def _for_empty(self) -> str:
        """What stands for an empty text: itself, unless the model would get no token at all (GPT-2)."""
        special = self.num_special_tokens_to_add()  # type: ignore[attr-defined]
        return "" if special else str(self.eos_token or self.pad_token or "")  # type: ignore[attr-defined]

    def save_pretrained(self, save_directory: str | os.PathLike[str], *args: Any, **kwargs: Any) -> Any:
        """Saves the tokenizer; its own class is named too, for readers that run no code from files."""
        saved = super().save_pretrained(save_directory, *args, **kwargs)  # type: ignore[misc]
        path = Path(save_directory) / "tokenizer_config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        config["tokenizer_class"] = type(self).__mro__[2].__name__
        path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return saved


def self_truncating(
    tokenizer: PreTrainedTokenizerBase, max_length: int | None = None
) -> PreTrainedTokenizerBase:
    """Makes `tokenizer` cut by itself, in place, at `max_length` tokens (None: at its `model_max_length`)."""
    if max_length is not None:
        tokenizer.model_max_length = max_length
    bases = (SelfTruncating, type(tokenizer))
    tokenizer.__class__ = type("SelfTruncatingTokenizer", bases, {"__module__": __name__})
    return tokenizer


class SelfTruncatingTokenizer(PreTrainedTokenizerBase):
    """What `AutoTokenizer` finds under the saved name: loads the tokenizer's own class and makes it cut."""

    @classmethod
    def from_pretrained(  # type: ignore[override]  # passes on whatever it is given
        cls, folder: str | os.PathLike[str], *args: Any, **kwargs: Any
    ) -> PreTrainedTokenizerBase:
        """The tokenizer saved in `folder`."""
        kwargs["trust_remote_code"] = False
        return self_truncating(AutoTokenizer.from_pretrained(folder, *args, **kwargs))
