"""What a sitting decides before the first trial."""

import io

import pytest
from rich.console import Console

from autoft import sitting
from autoft.errors import StudyError
from autoft.kernel import facts
from autoft.spec.read import read_spec
from autoft.study.lessons import read_lessons
from autoft.study.places import study_folder
from autoft.study.records import read_info
from autoft.study.start import read_start

from .report.test_check import learning_space


@pytest.fixture
def begun(workdir, monkeypatch):
    """Begins a search as the command does; gives the study when its trials would run."""
    monkeypatch.setattr(sitting, "_search", lambda study, *_: study)
    return lambda space: sitting.sit(read_spec(space), Console(file=io.StringIO()))


def test_a_new_study_keeps_what_it_learns_and_tries_the_best_of_it(begun, workdir):
    study = begun(learning_space(workdir))
    (lesson,) = read_lessons(study)
    assert (lesson.study, lesson.likeness.model, lesson.outside) == ("old", 1.0, 1)
    assert [trial.score for trial in lesson.trials] == [0.9, 0.7, 0.3]
    learned = read_start(study).learned
    # 5e-4 is the default of so small a model.
    assert [point["learning_rate"] for point in learned] == [1e-4, 2e-5]
    (build,) = read_info(study).architectures.values()
    assert build == "BertForSequenceClassification of 3 blocks"


def test_a_study_goes_on_with_the_values_that_were_recommended_when_it_was_made(begun, workdir, monkeypatch):
    values = {"epochs": 4, "batch_size": 8, "learning_rate": 5e-5}
    monkeypatch.setattr(facts, "recommended", lambda *_: values)
    space = {**learning_space(workdir), "search": {"sampler": "random"}}
    made = read_info(begun(space)).fixed
    monkeypatch.setattr(facts, "recommended", lambda *_: {**values, "epochs": 9})
    assert read_info(begun(space)).fixed == made
    assert made["batch_size"] == 8


def test_a_refused_study_leaves_nothing_behind(begun, workdir):
    space = learning_space(workdir)
    with pytest.raises(StudyError, match=r"cannot learn from 'odl': .* did you mean 'old'"):
        begun({**space, "search": {"learn_from": ["odl"]}})
    assert not study_folder("new").exists()
