"""Scores by label, confusion and calibration, by hand."""

import numpy as np
import pytest

from autoft.tasks.breakdown import Breakdown
from autoft.tasks.by_label import by_label, calibration, of_classes
from autoft.tasks.token_classification.metrics import by_type

TRUE = np.array([0, 0, 0, 1])
SURE = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.45, 0.55]])
"""Answers 0, 0, 1, 1."""


def test_each_label_has_its_scores_and_what_it_is_confused_with():
    found = of_classes(SURE, TRUE, ["a", "b"])
    assert found.by_label == {
        "a": {"precision": 1.0, "recall": pytest.approx(2 / 3), "f1": pytest.approx(0.8), "support": 3.0},
        "b": {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1.0},
    }
    assert found.confusion == [[2, 1], [0, 1]]


def test_the_calibration_error_is_the_mean_distance_of_confidence_and_right_answers():
    found = calibration(np.array([0.95, 0.91, 0.55, 1.0]), np.array([True, False, True, True]))
    last, first = found.bins[1], found.bins[0]
    assert first == {"confidence": 0.55, "right": 1.0, "answers": 1}
    assert last == {"confidence": pytest.approx(2.86 / 3), "right": pytest.approx(2 / 3), "answers": 3}
    assert found.error == pytest.approx((0.45 + 3 * (2.86 - 2) / 3) / 4)


def test_a_model_that_is_as_sure_as_it_is_right_has_no_calibration_error():
    generator = np.random.default_rng(0)
    confidence = generator.uniform(size=20_000)
    assert calibration(confidence, generator.uniform(size=20_000) < confidence).error < 0.015


def test_of_many_labels_there_is_no_matrix(monkeypatch):
    monkeypatch.setattr("autoft.tasks.by_label.MOST_LABELS", 1)
    assert of_classes(SURE, TRUE, ["a", "b"]).confusion is None


def test_several_labels_a_row_count_each():
    true, given = np.array([[1, 1], [0, 1]]), np.array([[1, 0], [1, 1]])
    assert by_label(true, given, ["a", "b"])["a"]["precision"] == 0.5
    assert by_label(true, given, ["a", "b"])["b"]["recall"] == 0.5


def test_entities_count_by_type():
    tags = ["O", "B-city", "I-city", "B-name", "I-name", "B-shop", "I-shop"]
    rows = [(np.array([1, 2, 0, 3]), np.array([1, 0, 0, 3]))]  # the city is cut short, the name is right
    found = by_type(rows, tags)
    assert found["name"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1.0}
    assert found["city"]["f1"] == 0.0 and "shop" not in found


def test_it_is_read_back_as_it_was_stored():
    from dataclasses import asdict

    found = of_classes(SURE, TRUE, ["a", "b"])
    assert Breakdown.of_dict(asdict(found)) == found
    assert Breakdown.of_dict(asdict(Breakdown())) == Breakdown()
