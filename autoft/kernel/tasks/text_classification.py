"""One label for a text, or for a pair of texts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from autoft.data.encode import tokenize
from autoft.kernel.batch_source import BatchSource
from autoft.kernel.boundary.inject import CachedOutput
from autoft.kernel.freeze import evaluation_mode
from autoft.kernel.metrics import classification_metrics
from autoft.kernel.noise import standard_error


class TextClassification:
    """What is special about this task in the kernel."""

    name = "text-classification"
    auto_model = AutoModelForSequenceClassification

    def config_values(self, labels: Sequence[str]) -> dict[str, Any]:
        """What the labels mean for the model's configuration."""
        return {
            "num_labels": len(labels),
            "id2label": dict(enumerate(labels)),
            "label2id": {label: index for index, label in enumerate(labels)},
            "problem_type": "single_label_classification",
        }

    def loss(self, logits: torch.Tensor, labels: torch.Tensor, label_smoothing: float) -> torch.Tensor:
        """Mean cross-entropy of logits [n, classes] for labels [n]; a scalar in float32."""
        return functional.cross_entropy(logits.float(), labels, label_smoothing=label_smoothing)

    def metrics(self, logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Every metric of the task for logits [n, classes] and labels [n]."""
        return classification_metrics(logits, labels)

    def error(self, metric: str, logits: np.ndarray, labels: np.ndarray) -> float | None:
        """The standard error of one of them; None where the metric is no number."""
        return standard_error(metric, logits, labels)


def forward(
    model: PreTrainedModel, batch: Mapping[str, torch.Tensor], cached_output: CachedOutput | None = None
) -> torch.Tensor:
    """Logits [n, classes] of a batch from a `BatchSource`; its states, if any, go to `cached_output`."""
    if cached_output is not None:
        cached_output.states = batch["states"]
    inputs = {name: tensor for name, tensor in batch.items() if name not in ("labels", "states")}
    logits: torch.Tensor = model(**inputs).logits
    return logits


@torch.no_grad()
def predict(model: PreTrainedModel, tokenizer: Any, *columns: Sequence[str], max_length: int) -> np.ndarray:
    """Probabilities [n, classes] (float64) for one column of n texts, or for two columns of pairs.

    The model is used as it stands on its device, in evaluation mode; rows are cut at `max_length` tokens.
    """
    evaluation_mode(model)
    tokens = tokenize(columns, tokenizer, max_length)
    batches = BatchSource(tokens, tokenizer.pad_token_id, model.device).evaluation()
    outputs = [forward(model, batch).double().softmax(dim=-1) for _, batch in batches]
    order = np.argsort(np.concatenate([rows for rows, _ in batches]))
    probabilities: np.ndarray = torch.cat(outputs).cpu().numpy()[order]
    return probabilities
