"""The simple models of each task: trivial ones by hand, classical ones on toys that they can learn."""

import numpy as np
import pyarrow as pa
import pytest

from autoft.data.encoded import Encoded
from autoft.tasks.find import find_task
from autoft.tasks.linear import UNSEEN

from ..kernel.tiny import tiny_tokenizer
from .test_token_classification import TARGETS, TASK, table
from .toys import OBJECTIVES, VALUES, toy_rows

NO_ROWS = pa.table({})
PROCESSOR = tiny_tokenizer()


def encoded(**targets):
    rows = len(next(iter(targets.values())))
    return Encoded({}, {name: np.array(array) for name, array in targets.items()}, np.ones(rows, np.int64))


def trivial(task, train, targets, validation):
    (model,) = find_task(task).baselines["trivial"](NO_ROWS, train, targets)
    return model(NO_ROWS, validation)


def scored(task, found, encoded, targets, objective):
    does = find_task(task)
    return does.score(does.decide(found, (found, encoded.targets), objective), encoded.targets, targets)


def test_the_most_frequent_label_is_given_with_the_shares_of_train():
    train, validation = encoded(labels=[2, 2, 0, 2]), encoded(labels=[0, 2])
    found = trivial("text-classification", train, {"labels": ["a", "b", "c"]}, validation)
    assert np.exp(found["logits"]) == pytest.approx(np.array([[0.25, UNSEEN, 0.75]] * 2), rel=1e-5)
    scores = find_task("text-classification").score(found, validation.targets, {})
    assert scores["accuracy"] == 0.5
    assert scores["log_loss"] == pytest.approx(-(np.log(0.25) + np.log(0.75)) / 2, rel=1e-5)


def test_the_mean_of_train_is_given():
    train, validation = encoded(number=[1.0, 2.0, 6.0]), encoded(number=[3.0, 5.0])
    found = trivial("text-regression", train, {}, validation)
    scores = find_task("text-regression").score(found, validation.targets, {})
    assert (scores["mae"], scores["rmse"]) == pytest.approx((1.0, 2**0.5))
    assert (scores["pearson"], scores["spearman"]) == (0, 0)


def test_the_same_labels_are_given_to_all_rows_those_that_are_best_for_micro_f1():
    train = encoded(labels=[[1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 1]])  # shares 3/4, 1/2, 1/4
    validation = encoded(labels=[[1, 1, 0], [1, 0, 0]])
    found = trivial("multi-label", train, {"labels": ["a", "b", "c"]}, validation)
    assert found["probabilities"].tolist() == [[0.75, 0.5, 0.25]] * 2
    # The first label alone: 2 of 2 given are right, of 3 there are: 2 * 2 / 5. With the second: 2 * 3 / 7.
    scores = scored("multi-label", found, validation, {}, "micro_f1")
    assert (scores["micro_f1"], scores["exact_match"]) == (pytest.approx(6 / 7), 0.5)


def test_a_word_has_its_most_frequent_tag_and_one_that_is_new_has_none():
    train = table([["red", "blue", "red"], ["red", "green"]], [["B-LOC", "O", "B-LOC"], ["O", "B-PER"]])
    validation = table([["green", "red", "word1"], ["blue"]], [["B-PER", "O", "B-LOC"], ["O"]])
    sides = [(rows, TASK.encode(rows, PROCESSOR, TARGETS, VALUES)) for rows in (train, validation)]
    (model,) = TASK.baselines["trivial"](*sides[0], TARGETS)
    found = model(*sides[1])
    # [BOS] green red word1 [EOS] and [BOS] blue [EOS]
    assert found["tags"].tolist() == [[0, 3, 1, 0, 0], [0, 0, 0, 0, 0]]
    scores = TASK.score(found, sides[1][1].targets, TARGETS)
    assert (scores["entity_precision"], scores["entity_recall"]) == (0.5, 0.5)  # PER of 2 given, of 2 there
    assert scores["token_accuracy"] == 0.5


def test_a_word_that_the_model_does_not_see_is_left_out_by_linear_models_too():
    """Two words of three are left by max_length 4; scikit-learn gets as many features as tags."""
    rows = table([["red", "blue", "red"]] * 3, [["B-LOC", "O", "B-LOC"]] * 3)
    cut = TASK.encode(rows, PROCESSOR, TARGETS, {"max_length": 4})
    for model in TASK.baselines["classical"](rows, cut, TARGETS):
        assert model(rows, cut)["tags"].tolist() == [[0, 1, 0, 0]] * 3


@pytest.mark.parametrize("task", OBJECTIVES)
def test_classical_models_learn_what_single_words_say(task):
    """In the toys the colors among the words decide; only which color follows which is hidden from sums."""
    rows, does = toy_rows(task, train=120, validation=40), find_task(task)
    train, validation = (
        (rows.tables[split], does.encode(rows.tables[split], PROCESSOR, rows.targets, VALUES))
        for split in ("train", "validation")
    )

    def best(name):
        models = does.baselines[name](*train, rows.targets)
        objective = OBJECTIVES[task]
        scores = [
            scored(task, model(*validation), validation[1], rows.targets, objective) for model in models
        ]
        direction = does.spec.metrics[objective].direction
        return (max if direction == "maximize" else min)(score[objective] for score in scores)

    if task == "text-regression":
        assert best("classical") < best("trivial") / 2
    else:
        assert best("classical") > 0.9 > best("trivial")
