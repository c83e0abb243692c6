"""Single rows in words, and likely wrong targets: by hand, after section 3.1 of arXiv 1911.00068."""

import numpy as np
import pyarrow as pa

from autoft.data.encoded import Ragged
from autoft.tasks.find import find_task
from autoft.tasks.row_answers import RowAnswer, Suspect, of_labels, suspects

NAMES = ("a", "b", "c")
PROBABILITIES = np.array(
    [
        [0.9, 0.1, 0.0],
        [0.7, 0.3, 0.0],
        [0.2, 0.8, 0.0],  # labeled a, and as sure of b as rows of b are
        [0.4, 0.6, 0.0],  # labeled a, and not as sure of b as those
        [0.3, 0.7, 0.0],
        [0.1, 0.9, 0.0],
    ]
)
LABELS = np.array([0, 0, 0, 0, 1, 1])


def test_a_row_is_suspected_where_another_label_reaches_the_mean_of_its_own_rows():
    # Thresholds: of a (0.9 + 0.7 + 0.2 + 0.4) / 4 = 0.55, of b (0.7 + 0.9) / 2 = 0.8, of c no row has it.
    assert suspects(PROBABILITIES, LABELS, NAMES) == [Suspect(2, "a", "b", 0.2, 0.8)]


def test_the_clearest_comes_first():
    found = suspects(np.concatenate([PROBABILITIES, [[0.02, 0.98, 0.0]]]), np.append(LABELS, 0), NAMES)
    assert [each.row for each in found] == [6, 2]


def test_a_wrong_label_is_the_worse_the_less_likely_the_given_one_is():
    found = of_labels(PROBABILITIES, LABELS, NAMES)
    assert found[0] == RowAnswer("a 0.90", "a 0.90", 0.0)
    assert found[2] == RowAnswer("a 0.20", "b 0.80", 0.8)
    assert [each.wrong for each in found] == [0, 0, 0.8, 0.6, 0, 0]


def test_of_several_labels_a_row_both_sets_are_said_and_each_label_is_doubted_by_itself():
    task, targets = find_task("multi-label"), {"labels": ["a", "b"]}
    truth = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [0, 1]], np.int8)
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.8, 0.9], [0.1, 0.9], [0.2, 0.3]], np.float32)
    predictions = task.decide(
        {"probabilities": probabilities}, ({"probabilities": probabilities}, {"labels": truth}), "micro_f1"
    )
    threshold = predictions["threshold"][0]
    assert 0.2 <= threshold < 0.8  # by hand: 0.8 and 0.9 are right but for row 2's b
    said = task.row_answers(predictions, {"labels": truth}, targets, pa.table({}))
    assert said[0] == RowAnswer("a", "a", 0.0)
    assert (said[2].given, said[2].answered) == ("a", "a, b")
    assert said[2].wrong == np.float32(0.9)
    # Of b: yes has the threshold (0.9 + 0.3) / 2 = 0.6, which row 2 reaches; no (0.9 + 0.9 + 0.1) / 3 = 0.63,
    # which row 4 reaches, with 0.7.
    found = task.suspects(predictions, {"labels": truth}, targets)
    assert [(each.row, each.given, each.suggested) for each in found] == [
        (2, "a", "a, b"),
        (4, "b", "(none)"),
    ]
    assert found[0].given_share == np.float64(1 - np.float64(np.float32(0.9)))


def test_of_tags_the_entities_are_said_and_wrong_words_are_counted():
    task = find_task("token-classification")
    targets = {"labels": ["O", "B-city", "I-city"]}
    rows = pa.table({"input_0": [["in", "New", "York", "now"], ["no", "city"]]})
    encoded = {
        "labels": Ragged(np.zeros(6, int), np.array([0, 4, 6])),
        "words": Ragged(np.array([0, 1, 2, 3, 0, 1]), np.array([0, 4, 6])),
        "tags": Ragged(np.array([0, 1, 2, 0, 0, 0]), np.array([0, 4, 6])),
    }
    predictions = {"tags": np.array([[0, 1, 0, 0], [0, 0, 0, 0]]), "finite": np.array([True, True])}
    found = task.row_answers(predictions, encoded, targets, rows)
    assert found == [RowAnswer("city: New York", "city: New", 1.0), RowAnswer("(none)", "(none)", 0.0)]
    assert task.suspects(predictions, encoded, targets) == ()


def test_of_numbers_the_distance_counts_and_ranges_say_the_direction():
    task, targets = find_task("text-regression"), {"ranges": [(0.0, 1.0), (1.0, 2.0)]}
    true, predicted = np.array([0.5, 0.75, 1.5]), np.array([1.0, 0.75, 1.25])
    predictions, encoded = {"number": predicted}, {"number": true}
    found = task.row_answers(predictions, encoded, targets, pa.table({}))
    assert found[0] == RowAnswer("0.5", "1", 0.5)
    assert [each.wrong for each in found] == [0.5, 0.0, 0.25]
    by_range = task.breakdown(predictions, encoded, targets).by_label
    assert by_range == {
        "0 to 1": {"mae": 0.25, "mean error": 0.25, "support": 2.0},
        "1 to 2": {"mae": 0.25, "mean error": -0.25, "support": 1.0},
    }


def test_answers_that_are_not_finite_say_nothing():
    broken = np.array([[np.nan, 0.0]], np.float32)
    one = find_task("text-classification")
    assert one.row_answers({"logits": broken}, {"labels": np.array([0])}, {"labels": ["a", "b"]}, None) == ()
    assert one.suspects({"logits": broken}, {"labels": np.array([0])}, {"labels": ["a", "b"]}) == ()
