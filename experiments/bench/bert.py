"""What the peers share about their model: a BERT with a head, frozen by depth, and its metrics."""

from typing import Any

import numpy as np
import torch
from sklearn.metrics import accuracy_score, f1_score
from torch import nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel

from bench.rows import label_names
from bench.workloads import Depth, Job


def load(job: Job) -> tuple[PreTrainedModel, list[str]]:
    """The pretrained model in float32 and the names of its parameters that the checkpoint lacks."""
    model, report = AutoModelForSequenceClassification.from_pretrained(
        job.model, num_labels=len(label_names(job.rows)), output_loading_info=True
    )
    return model, list(report["missing_keys"])


def without_plans() -> None:
    """No cuDNN attention in this process: it builds a plan for each new shape and dropout."""
    torch.backends.cuda.enable_cudnn_sdp(False)


def load_tokenizer(job: Job) -> Any:
    """The model's own tokenizer."""
    return AutoTokenizer.from_pretrained(job.model)


def frozen_parts(model: PreTrainedModel, depth: Depth) -> list[nn.Module]:
    """The embeddings and the blocks below the boundary; nothing where `all` is trained."""
    if depth == "all":
        return []
    blocks = model.bert.encoder.layer
    return [model.bert.embeddings, *blocks[: len(blocks) - depth]]


def set_depth(model: PreTrainedModel, depth: Depth, dropout: float) -> None:
    """Train the top `depth` blocks and the head, with dropout there and nowhere else.

    Dropouts of probability 0 are free, so `model.train()` may stay as simple as it is.
    """
    model.requires_grad_(True)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = dropout
    silent = [model.bert.embeddings, *frozen_parts(model, depth)]
    for dropped in (module for part in silent for module in part.modules() if isinstance(module, nn.Dropout)):
        dropped.p = 0.0
    for part in frozen_parts(model, depth):
        part.requires_grad_(False)


def classification_metrics(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Macro F1 and accuracy for logits [n, classes] and labels [n]."""
    predicted = logits.argmax(axis=1)
    return {
        "macro_f1": float(f1_score(labels, predicted, average="macro", zero_division=0)),
        "accuracy": float(accuracy_score(labels, predicted)),
    }
