"""What a pretrained model makes of rows, as features for a linear model."""

import numpy as np
import torch
from transformers import PreTrainedModel

from autoft.data.batch import Batch, collate, evaluation_batches
from autoft.data.encoded import Encoded
from autoft.kernel.device import FORWARD_TOKENS
from autoft.kernel.freeze import evaluation_mode
from autoft.tasks.protocol import Task


@torch.no_grad()
def frozen_features(model: PreTrainedModel, encoded: Encoded, task: Task) -> np.ndarray:
    """The last hidden states, of each row the mean over its tokens, or of the tokens that the task asks for.

    Args:
        model: a pretrained one, on its device; left in evaluation mode.
        encoded: n rows.
        task: see `Task.tokens_of`.

    Returns:
        float32 [n, hidden], or [tokens, hidden] in the order of the rows and of the tokens in each.
    """
    evaluation_mode(model)
    found, owners = [], []
    for rows in evaluation_batches(encoded.lengths, FORWARD_TOKENS[model.device.type]):
        batch = collate(encoded, rows).to(model.device)
        states = model.base_model(**batch.inputs).last_hidden_state
        features, places = _features(states, batch, task.tokens_of(batch))
        found.append(features.float().cpu().numpy())
        owners.append(rows[places.cpu().numpy()])
    return np.concatenate(found)[np.argsort(np.concatenate(owners), kind="stable")]


def _features(
    states: torch.Tensor, batch: Batch, tokens: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of states [b, longest, hidden] the features [k, hidden], and of each its row in the batch [k]."""
    if tokens is not None:
        return states[tokens], tokens.nonzero()[:, 0]
    mask = batch.inputs["attention_mask"].unsqueeze(-1).to(states.dtype)
    return (states * mask).sum(dim=1) / mask.sum(dim=1), torch.arange(len(states))
