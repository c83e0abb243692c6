import math

import numpy as np
import pytest
import torch

from autoft.data.batch import Batch
from autoft.kernel.pretrained import load_pretrained
from autoft.tasks.text_classification.task import TextClassification

from ..kernel.tiny import FILLER, TARGETS, save_pretrained
from .answers import logits

TASK = TextClassification()


def summed(found, labels, smoothing=0.0):
    return TASK.loss(
        {"logits": found}, Batch({}, {"labels": torch.tensor(labels)}), {"label_smoothing": smoothing}
    )


def test_the_loss_is_the_sum_of_the_rows_cross_entropies_and_their_number_its_weight():
    # Probabilities 0.8 of the right label in one row and 0.1 in the other.
    found = torch.tensor([[0.8, 0.1, 0.1], [0.8, 0.1, 0.1]]).log()
    assert summed(found, [0, 1]).item() == pytest.approx(-(math.log(0.8) + math.log(0.1)))
    assert TASK.weight({"labels": np.array([0, 1])}) == 2


def test_label_smoothing_spreads_the_target_over_all_labels():
    # The target of the right label is 0.7 + 0.3 / 3 (arXiv 1512.00567, section 7).
    found = torch.tensor([[0.8, 0.1, 0.1]]).log()
    loss = summed(found, [0], 0.3)
    assert loss.item() == pytest.approx(-(0.8 * math.log(0.8) + 0.2 * math.log(0.1)))


def test_the_loss_is_in_full_precision_even_where_logits_are_not():
    loss = summed(torch.zeros(2, 3, dtype=torch.bfloat16), [0, 1])
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(2 * math.log(3))


def test_predictions_come_in_the_order_of_the_texts_however_they_are_batched(tmp_path):
    loaded = load_pretrained(save_pretrained("bert", tmp_path), TARGETS, TASK)
    texts = [" ".join(FILLER[: 1 + (i * 7) % 11]) for i in range(150)]
    together = logits(loaded.model, loaded.processor, texts, max_length=16)
    alone = [logits(loaded.model, loaded.processor, [text], max_length=16)[0] for text in texts[:12]]
    assert together.shape == (150, 3)
    # A row's last bits depend on whom it is padded with.
    assert together[:12] == pytest.approx(np.array(alone), abs=1e-5)


def test_rows_are_cut_at_max_length(tmp_path):
    loaded = load_pretrained(save_pretrained("bert", tmp_path), TARGETS, TASK)
    head = "red " * 6
    both = logits(loaded.model, loaded.processor, [head + "green " * 9, head + "blue " * 3], max_length=8)
    assert both[0].tolist() == both[1].tolist()
