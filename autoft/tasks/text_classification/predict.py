"""What a fine-tuned model answers, with nothing but the model and its tokenizer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from autoft.data.batch import collate, evaluation_batches
from autoft.data.text import tokenize

BATCH_TOKENS = 512
"""Of a forward pass, padding and all."""


@torch.no_grad()
def probabilities(
    model: PreTrainedModel, tokenizer: Any, *columns: Sequence[str], max_length: int
) -> np.ndarray:
    """[n, classes] (float64) for one column of n texts, or for two columns of pairs.

    The model is used as it stands on its device, in evaluation mode; rows are cut at `max_length` tokens.
    """
    model.eval()  # type: ignore[no-untyped-call]
    encoded = tokenize(columns, tokenizer, max_length)
    batches = evaluation_batches(encoded.lengths, BATCH_TOKENS)
    outputs = [
        model(**collate(encoded, rows).to(model.device).inputs).logits.double().softmax(dim=-1)
        for rows in batches
    ]
    found: np.ndarray = torch.cat(outputs).cpu().numpy()[np.argsort(np.concatenate(batches))]
    return found
