import math

import numpy as np
import pytest
import torch

from autoft.data.batch import Batch
from autoft.tasks.classification import classification_metrics, cross_entropy
from autoft.tasks.classification_metrics import METRICS


def test_every_metric_of_the_vocabulary_by_hand():
    # Labels 0 0 0 1 1 2, predicted 0 0 1 1 1 1; probability of the predicted label 0.8, 0.1 of each other.
    labels = np.array([0, 0, 0, 1, 1, 2])
    logits = np.log(np.full((6, 3), 0.1) + 0.7 * np.eye(3)[[0, 0, 1, 1, 1, 1]]).astype(np.float32)
    f1 = [2 * 1 * (2 / 3) / (1 + 2 / 3), 2 * 0.5 * 1 / 1.5, 0]
    # Gorodkin's R_K: (n c - sum p_k t_k) / sqrt((n^2 - sum p_k^2)(n^2 - sum t_k^2))
    matthews = (6 * 4 - (2 * 3 + 4 * 2)) / math.sqrt((36 - (4 + 16)) * (36 - (9 + 4 + 1)))
    expected = {
        "accuracy": 4 / 6,
        "macro_f1": sum(f1) / 3,
        "micro_f1": 4 / 6,
        "weighted_f1": (3 * f1[0] + 2 * f1[1]) / 6,
        "precision": (1 + 0.5 + 0) / 3,
        "recall": (2 / 3 + 1 + 0) / 3,
        "matthews_correlation": matthews,
        "log_loss": -(4 * math.log(0.8) + 2 * math.log(0.1)) / 6,
    }
    assert classification_metrics(logits, labels) == pytest.approx(expected, rel=1e-6)


def test_a_split_with_few_of_the_labels_has_all_metrics():
    found = classification_metrics(np.eye(4)[[1, 1]], np.array([1, 1]))
    assert set(found) == set(METRICS)
    assert found["macro_f1"] == 1.0


def test_broken_outputs_give_nan_instead_of_an_error():
    found = classification_metrics(np.array([[np.nan, 0.0], [1.0, 0.0]]), np.array([0, 1]))
    assert set(found) == set(METRICS)
    assert all(math.isnan(value) for value in found.values())


def test_better_goes_by_the_metric_s_direction_and_nan_is_never_better():
    assert METRICS["macro_f1"].is_better(0.2, None)
    assert METRICS["macro_f1"].is_better(0.3, 0.2)
    assert not METRICS["macro_f1"].is_better(0.2, 0.2)
    assert METRICS["log_loss"].is_better(0.2, 0.3)
    assert not METRICS["log_loss"].is_better(math.nan, None)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_smoothing_may_be_a_tensor(smoothing):
    outputs = {"logits": torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.0, 0.0]])}
    batch = Batch({}, {"labels": torch.tensor([0, 2])})
    number, tensor = (
        cross_entropy(outputs, batch, {"label_smoothing": value})
        for value in (smoothing, torch.tensor(smoothing))
    )
    # By hand: of a row, log-sum-exp of its logits less (1 - s) of its label's logit and s of their mean.
    logits = outputs["logits"].double()
    wanted = (1 - smoothing) * logits[[0, 1], [0, 2]] + smoothing * logits.mean(dim=1)
    expected = float((logits.exp().sum(dim=1).log() - wanted).sum())
    assert [float(number), float(tensor)] == pytest.approx([expected] * 2, rel=1e-6)
