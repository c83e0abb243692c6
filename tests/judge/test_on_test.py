"""The verdict on test rows, from answers that are made up."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from autoft.judge.on_test import judge
from autoft.spec.tasks import TASKS
from autoft.tasks.find import find_task

TASK = find_task("text-classification")
METRICS = TASKS["text-classification"].metrics
ROWS = 300
TRUE = np.arange(ROWS) % 3


def answers(right, seed):
    """Logits that are right in this share of the rows."""
    generator = np.random.default_rng(seed)
    wrong = (TRUE + generator.integers(1, 3, ROWS)) % 3
    given = np.where(generator.uniform(size=ROWS) < right, TRUE, wrong)
    return {"logits": 3 * np.eye(3)[given]}, {"labels": TRUE}


def test_few_rows_object_to_nothing(monkeypatch):
    monkeypatch.setattr("autoft.judge.on_test.MIN_ROWS", ROWS + 1)
    assert judged(winner=0.6, default=0.9, trivial=0.9)[0].objection is None


def judged(metric="accuracy", opened=1, rival="classical", **right):
    contenders = {name: answers(share, seed) for seed, (name, share) in enumerate(right.items())}
    targets = {"labels": ["a", "b", "c"]}
    return judge(TASK, METRICS[metric], targets, contenders, rival, opened), contenders


def test_it_says_by_how_much_the_winner_is_better():
    found, contenders = judged(winner=0.9, default=0.6, trivial=0.33, classical=0.88)
    scores = [
        accuracy_score(TRUE, predicted["logits"].argmax(axis=1)) for predicted, _ in contenders.values()
    ]
    assert [each.metrics["accuracy"] for each in found.contenders] == pytest.approx(scores)
    winner, default, _, classical = found.contenders
    assert (winner.low, winner.high) == (None, None)
    assert 0 < default.low < scores[0] - scores[1] < default.high
    assert classical.low < 0 < classical.high
    assert winner.error == pytest.approx((scores[0] * (1 - scores[0]) / ROWS) ** 0.5)
    assert found.said == (
        f"On the sealed test (300 rows, opened for the first time) the winner has accuracy {scores[0]:.4f}, "
        f"standard error {winner.error:.4f}. It is better than the default, {scores[1]:.4f}: "
        f"{scores[0] - scores[1]:+.4f} [{default.low:+.4f}, {default.high:+.4f}] at 95 %. It differs by no "
        f"more than chance from the classical baseline, {scores[3]:.4f}: {scores[0] - scores[3]:+.4f} "
        f"[{classical.low:+.4f}, {classical.high:+.4f}] at 95 %."
    )
    assert found.objection is None


def test_a_smaller_loss_is_better():
    found, _ = judged("log_loss", winner=0.9, default=0.6)
    assert "It is better than the default" in found.said
    assert found.contenders[1].high < 0


def test_a_winner_that_has_learned_nothing_or_less_than_the_default_is_objected_to():
    nothing, _ = judged(winner=0.36, trivial=0.34)
    assert nothing.objection.startswith("nothing was learned: on the test rows its accuracy is 0.")
    worse, _ = judged(winner=0.6, default=0.9, trivial=0.34)
    assert worse.objection.startswith("on the test rows it is worse than the default: 0.")
    assert "It is worse than the default" in worse.said
    by_loss, _ = judged("log_loss", winner=0.6, default=0.9, trivial=0.1)
    assert by_loss.objection.startswith("on the test rows it is worse than the default: ")


def test_it_counts_the_openings():
    found, _ = judged(opened=3, winner=0.9)
    assert "opened for the third time" in found.said
    assert found.said.endswith("Each further opening makes a test less of a test.")
