"""The baselines of a study with a tiny model; the label of a row is the color among its words."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score

from autoft.data.files import read_table
from autoft.judge import baselines
from autoft.judge.baselines import draw, fit
from autoft.kernel.workbench import Workbench
from autoft.spec.tasks import TASKS

from ..kernel.tiny import config, save_pretrained, study_inputs

ACCURACY = TASKS["text-classification"].metrics["accuracy"]


@pytest.fixture
def workbench(tmp_path):
    return Workbench(study_inputs(tmp_path, save_pretrained("bert", tmp_path / "bert")))


def by_split(workbench):
    rows = read_table(workbench.study_inputs.rows).to_pandas()
    return (rows[rows["split"] == split]["target"].to_numpy() for split in ("train", "validation"))


def test_all_are_scored_on_the_validation_rows_with_every_metric(workbench):
    found = fit(workbench, config(), ACCURACY).scored
    assert [each.name for each in found] == ["trivial", "classical", "frozen"]
    assert [(each.rows, each.train_rows, each.failed) for each in found] == [(48, 48, None)] * 3
    assert [set(each.metrics) for each in found] == [set(TASKS["text-classification"].metrics)] * 3
    train, validation = by_split(workbench)
    constant = DummyClassifier().fit(train[:, None], train).predict(validation[:, None])
    assert found[0].metrics["accuracy"] == pytest.approx(accuracy_score(validation, constant))
    assert found[1].metrics["accuracy"] == 1  # a color is a word
    share = found[0].metrics["accuracy"]
    assert found[0].error == pytest.approx((share * (1 - share) / 20) ** 0.5, rel=0.3)  # by 100 resamples


def test_they_repeat_exactly(workbench):
    def scores():
        return [(each.metrics, each.error) for each in fit(workbench, config(), ACCURACY).scored]

    assert scores() == scores()


def test_one_that_fails_says_why_and_leaves_the_others_alone(workbench, monkeypatch):
    monkeypatch.setattr(workbench.study_inputs.task.__class__, "linear", None)
    found = fit(workbench, config(), ACCURACY).scored
    assert [each.failed for each in found] == [None, None, "TypeError: 'NoneType' object is not callable"]
    assert (found[2].metrics, found[2].error) == ({}, None)


def test_of_many_rows_so_many_are_drawn_as_have_the_tokens(monkeypatch):
    lengths, train = np.arange(1, 101), np.arange(10, 100)
    assert draw(lengths, train).tolist() == train.tolist()
    monkeypatch.setattr(baselines, "MOST_TOKENS", 2000)  # of 4,995
    drawn = draw(lengths, train)
    assert set(drawn) < set(train) and drawn.tolist() == sorted(drawn)
    assert 1900 < lengths[drawn].sum() <= 2000
    assert draw(lengths, train).tolist() == drawn.tolist()
