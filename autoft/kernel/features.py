"""What a pretrained model makes of rows, as features for a linear model."""

import numpy as np
import torch
from transformers import PreTrainedModel

from autoft.data.batch import Batch
from autoft.kernel.batch_source import BatchSource
from autoft.kernel.device import Precision, autocast
from autoft.kernel.freeze import evaluation_mode
from autoft.tasks.protocol import Task


@torch.no_grad()
def frozen_features(
    model: PreTrainedModel,
    source: BatchSource,
    task: Task,
    precision: Precision,
) -> np.ndarray:
    """The last hidden states, of each row the mean over its tokens, or of the tokens that the task asks for.

    Of an encoder and decoder they are the encoder's, whose mean is the better feature of the two: Ni et al.,
    "Sentence-T5", arXiv 2108.08877.

    Args:
        model: the pretrained one, on the device of the rows; left in evaluation mode.
        source: n rows.
        task: see `Task.tokens_of`.
        precision: of the study.

    Returns:
        float32 [n, hidden], or [tokens, hidden] in the order of the rows and of the tokens in each.
    """
    evaluation_mode(model)
    body = model.get_encoder() if model.config.is_encoder_decoder else model.base_model
    found, owners = [], []
    for rows, inputs in source.evaluation():
        batch = source.with_states(inputs, rows)
        with autocast(source.device, precision):
            states = body(**batch.inputs).last_hidden_state.float()
        features, places = _features(states, batch, task.tokens_of(batch))
        found.append(features.cpu().numpy())
        owners.append(rows[places.cpu().numpy()])
    return np.concatenate(found)[np.argsort(np.concatenate(owners), kind="stable")]


def _features(
    states: torch.Tensor, batch: Batch, tokens: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of states [b, longest, hidden] the features [k, hidden], and of each its row in the batch [k]."""
    if tokens is not None:
        return states[tokens], tokens.nonzero()[:, 0]
    if states.ndim == 4:  # of a CNN: channels first
        states = states.flatten(2).transpose(1, 2)
    if "attention_mask" not in batch.inputs:  # rows of one shape
        return states.mean(dim=1), torch.arange(len(states))
    mask = batch.inputs["attention_mask"].unsqueeze(-1)
    return (states * mask).sum(dim=1) / mask.sum(dim=1), torch.arange(len(states))
