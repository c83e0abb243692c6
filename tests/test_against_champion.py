"""A version against the champion, of each task: models that have learned a toy problem, or have not."""

import copy
import shutil
from contextlib import chdir
from dataclasses import replace

import pyarrow.compute as pc
import pytest
import torch

from autoft.against_champion import NotComparableError, compare_with_champion
from autoft.data.overlap import row_digests
from autoft.data.prepare import read_rows
from autoft.tracking import store
from autoft.tracking.projection import Projection
from autoft.tracking.registration import register_version

from .report.records import info, trial
from .tasks.toys import OBJECTIVES, toy_rows, tuned

NAME = "toys"
VALIDATION = 60
STEPS = {"text-regression": 60, "multi-label": 40, "token-classification": 40}


class World:
    """A registered model with versions of one task."""

    def __init__(self, task, uri, folder):
        self.task, self.uri, self.objective = task, uri, OBJECTIVES[task]
        self.info = replace(info(objective=self.objective), task=task)
        rows = toy_rows(task, 120, VALIDATION)
        table = read_rows(rows.write(folder / "rows").rows_path)
        self.targets, self.rows = rows.targets, table.filter(pc.equal(table["split"], "validation"))
        client = store.connect(uri)
        projection = Projection.open(client, store.experiment_id(client, NAME), self.info, "id")
        learned = tuned(task, rows, folder / "model", STEPS[task])
        models = {
            "learned": learned,
            "reordered": reordered(learned),
            "untaught": tuned(task, rows, folder / "model", 1),
            "other labels": renamed(learned),
        }
        self.models, self.versions = models, {}
        for number, (kind, model) in enumerate(models.items()):
            projection.project(trial(number))
            where = (uri, NAME, "id", self.info, trial(number))
            self.versions[kind] = register_version(*where, model, NAME)

    def compared(self, kind, champion, before=None):
        version = self.versions[champion].version
        self.said = []
        return compare_with_champion(
            self.uri,
            self.versions[kind],
            version,
            self.objective,
            self.rows,
            self.targets,
            self.said.append,
            before,
        )


def reordered(model):
    """The same model with its labels from the last to the first."""
    model = replace(model, model=copy.deepcopy(model.model))
    head, names = model.model.classifier, list(model.model.config.label2id)[::-1]
    with torch.no_grad():
        for parameter in (head.weight, head.bias):
            parameter.copy_(parameter.flip(0))
    model.model.config.id2label = dict(enumerate(names))
    model.model.config.label2id = {name: number for number, name in enumerate(names)}
    return replace(model, targets={**model.targets, "labels": names})


def renamed(model):
    """The same model with another name for its last label."""
    model = replace(model, model=copy.deepcopy(model.model))
    names = [*list(model.model.config.label2id)[:-1], "B-other"]
    model.model.config.id2label = dict(enumerate(names))
    model.model.config.label2id = {name: number for number, name in enumerate(names)}
    return model


@pytest.fixture(scope="module", params=OBJECTIVES)
def world(request, empty_database, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copy(empty_database, folder / "mlflow.db")
    with chdir(folder):
        return World(request.param, f"sqlite:///{folder}/mlflow.db", folder)


def test_what_has_learnt_more_is_better_by_more_than_chance_and_the_other_way_round_is_not(world):
    found = world.compared("learned", "untaught")
    assert found.is_better
    assert found.metric.name == world.objective
    assert world.said == [f"comparing version 1 of toys with version 3, the champion, on {found.rows} rows"]
    assert 50 <= found.rows <= VALIDATION
    back = world.compared("untaught", "learned")
    assert not back.is_better
    assert (back.one, back.other) == (found.other, found.one)


def test_what_was_trained_again_on_these_rows_is_compared_as_it_was_before(world):
    before = world.models["learned"]
    seen = row_digests(world.rows)
    found = world.compared("untaught", "reordered", before=lambda: before)
    assert found.one == pytest.approx(found.other, rel=1e-6)
    with pytest.raises(NotComparableError, match="only 0 of the"):
        world.compared("untaught", "reordered", before=lambda: replace(before, trained_rows=seen))


def test_the_order_of_the_labels_does_not_count(world):
    found = world.compared("learned", "reordered")
    assert found.one == pytest.approx(found.other, rel=1e-6)
    assert (found.low, found.high) == pytest.approx((0, 0), abs=1e-3)
    assert not found.is_better


def test_other_labels_are_not_compared(world):
    with pytest.raises(
        NotComparableError, match=r"has other labels: it lacks `.*` and it alone has `B-other`"
    ):
        world.compared("learned", "other labels")
