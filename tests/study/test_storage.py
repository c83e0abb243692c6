"""Opening, continuing and protecting a study."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage

from autoft.errors import StudyError
from autoft.spec.space import Choice, Condition, Parameter, Range
from autoft.spec.study import Budget, ModelRef, Resources, SearchMethod, StudySpec
from autoft.study.identity import identity_of
from autoft.study.storage import (
    FORMAT_ATTR,
    MissingStudyError,
    StorageError,
    clear_storage_errors,
    find_study,
    leftovers,
    open_study,
    study_id,
    trials_left,
)

from .scripted import CONDITIONAL, make_spec


def opened(spec: StudySpec, folder: Path, digest: str = "digest") -> optuna.Study:
    return open_study(spec, folder, identity_of(spec, digest))


def test_a_new_study_lies_in_its_folder(folder: Path) -> None:
    study = opened(make_spec(), folder)
    assert (folder / "study.db").exists()
    assert study.study_name == "study"
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    assert find_study("study", folder).study_name == "study"


def test_a_loss_is_minimized(folder: Path) -> None:
    assert opened(make_spec(objective="log_loss"), folder).direction == optuna.study.StudyDirection.MINIMIZE


def test_first_is_queued_once_with_searched_parameters_only(folder: Path) -> None:
    spec = make_spec(first=({"learning_rate": 2e-5, "batch_size": 8}, {"learning_rate": 3e-5}))
    for _ in range(3):
        study = opened(spec, folder)
    assert [trial.system_attrs["fixed_params"] for trial in study.get_trials()] == [
        {"learning_rate": 2e-5},
        {"learning_rate": 3e-5},
    ]
    assert trials_left(study, spec.budget) == 4


def test_what_is_added_to_first_is_queued_when_the_study_goes_on(folder: Path) -> None:
    study = opened(make_spec(first=({"learning_rate": 2e-5},)), folder)
    study.tell(study.ask(), 0.5)
    study = opened(make_spec(first=({"learning_rate": 2e-5}, {"learning_rate": 3e-5})), folder)
    assert [trial.system_attrs["fixed_params"] for trial in study.get_trials()] == [
        {"learning_rate": 2e-5},
        {"learning_rate": 3e-5},
    ]


def test_a_database_that_fails_while_the_study_is_opened_is_told_in_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = opened(make_spec(), folder)

    def full(*args: object) -> None:
        raise StorageInternalError("database or disk is full")

    monkeypatch.setattr(RDBStorage, "set_study_user_attr", full)
    with pytest.raises(StorageError, match="does not take what is written"), clear_storage_errors("study"):
        study.set_user_attr("a", 1)


def test_the_total_counts_ended_trials_of_every_kind(folder: Path) -> None:
    spec = make_spec(trials=5)
    study = opened(spec, folder)
    for state in (
        optuna.trial.TrialState.COMPLETE,
        optuna.trial.TrialState.PRUNED,
        optuna.trial.TrialState.FAIL,
    ):
        study.tell(study.ask(), 0.5 if state == optuna.trial.TrialState.COMPLETE else None, state=state)
    running = study.ask()
    assert trials_left(study, spec.budget) == 2
    assert [trial.number for trial in leftovers(study)] == [running.number]
    assert trials_left(study, Budget(trials=1)) == 0


def test_budget_resources_and_tracking_may_change(folder: Path) -> None:
    first = opened(make_spec(), folder)
    again = opened(make_spec(trials=99, resources=Resources(cpus_per_trial=8), text="other"), folder)
    assert study_id(again) == study_id(first)


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"objective": "accuracy"}, 'objective: was "macro_f1", is now "accuracy"'),
        ({"search": SearchMethod(sampler="random", pruner="none", seed=8)}, "search.seed: was 7, is now 8"),
        (
            {"search": SearchMethod(sampler="random", pruner="median", seed=7)},
            'search.pruner.name: was "none", is now "median"',
        ),
        (
            {"models": (ModelRef("tiny", "hub", "tiny", "abc"),)},
            'models.tiny.revision: was null, is now "abc"',
        ),
        (
            {"models": (ModelRef("tiny", "folder", "/models/tiny", weights="b"),)},
            'models.tiny.weights: was null, is now "b"',
        ),
        (
            {"models": (ModelRef("tiny", "folder", "/models/tiny", tokenizer="b"),)},
            'models.tiny.tokenizer: was null, is now "b"',
        ),
        (
            {"parameters": [Parameter("learning_rate", Range(1e-5, 1e-2, integer=False, log=True))]},
            "space.searched.learning_rate.domain.high: was 0.001, is now 0.01",
        ),
        (
            {"parameters": [Parameter("learning_rate", Choice((1e-5, 1e-3)))]},
            "space.searched.learning_rate.domain.values: was absent, is now [1e-05, 0.001]",
        ),
        ({"fixed": {"epochs": 3}}, "space.fixed.epochs: was 6, is now 3"),
    ],
)
def test_another_request_is_refused_with_what_differs(
    change: dict[str, Any], shown: str, folder: Path
) -> None:
    opened(make_spec(), folder)
    with pytest.raises(StudyError, match="'study' was made from another request") as refused:
        opened(make_spec(**change), folder)
    assert shown in str(refused.value)
    assert "study: ..." in str(refused.value)


def test_other_data_are_refused(folder: Path) -> None:
    opened(make_spec(), folder)
    with pytest.raises(StudyError, match='data digest: was "digest", is now "other"'):
        opened(make_spec(), folder, "other")


def test_another_condition_is_refused(folder: Path) -> None:
    opened(make_spec(parameters=CONDITIONAL), folder)
    changed = replace(CONDITIONAL[2], conditions=(Condition("unfreeze_depth", (1,), negated=True),))
    with pytest.raises(StudyError, match=r"space.searched.dropout.conditions: was .*\[0\].* is now .*\[1\]"):
        opened(make_spec(parameters=[*CONDITIONAL[:2], changed, CONDITIONAL[3]]), folder)


def test_a_default_that_is_written_out_is_the_same_study(folder: Path) -> None:
    first = study_id(opened(make_spec(), folder))
    assert study_id(opened(make_spec(fixed={"epochs": 6}), folder)) == first
    narrowed = Parameter("learning_rate", Range(1e-5, 1e-3, integer=False, log=True), by_default=True)
    assert study_id(opened(make_spec(parameters=[narrowed]), folder)) == first


def test_a_study_that_autoft_did_not_make_is_left_alone(folder: Path) -> None:
    alien = optuna.create_study(
        storage=f"sqlite:///{folder}/study.db", study_name="study", direction="maximize"
    )
    alien.tell(alien.ask(), 1.0)
    with pytest.raises(StudyError, match="did not make"):
        opened(make_spec(), folder)


def test_a_missing_study_is_named(folder: Path) -> None:
    for place in (folder, folder.with_name("nothing")):
        with pytest.raises(StudyError, match="study 'study': there is none in"):
            find_study("study", place)
    assert not folder.with_name("nothing").exists()
    opened(make_spec(), folder)
    with pytest.raises(StudyError, match="study 'other': there is none in"):
        find_study("other", folder)


def test_a_study_may_be_looked_for_while_it_is_created(folder: Path) -> None:
    """Optuna makes its tables one by one: a look between two of them once ended the search."""
    created = Event()

    def look(where: Path) -> None:
        while not created.is_set():
            with suppress(MissingStudyError):
                find_study("study", where)

    for attempt in range(5):
        created.clear()
        with ThreadPoolExecutor(2) as pool:
            looking = [pool.submit(look, folder / str(attempt)) for _ in range(2)]
            try:
                assert opened(make_spec(), folder / str(attempt)).study_name == "study"
            finally:
                created.set()
        assert [one.result() for one in looking] == [None, None]


def test_who_looks_for_a_study_makes_no_database(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingStudyError, match=r"study 'study': there is none in search\.storage"):
        find_study("study", folder, f"sqlite:///{tmp_path}/elsewhere.db?timeout=60")
    assert not (tmp_path / "elsewhere.db").exists()
    with pytest.raises(StudyError, match=r"^search\.storage: .* does not open"):
        find_study("study", folder, "sqlite:////no/such/folder/study.db")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@127.0.0.1:1/db",
        "nonsense://me:secret@x",
        "nonsense://secret@x",
        "sqlite:////no/such/folder/x.db?password=secret",
        "secret",
    ],
)
def test_a_storage_that_does_not_open_is_told_without_its_password(url: str, folder: Path) -> None:
    search = SearchMethod(sampler="random", pruner="none", storage=url)
    with pytest.raises(StudyError, match=r"^search.storage: ") as refused:
        opened(make_spec(search=search), folder)
    assert "secret" not in str(refused.value)


def test_no_warning_of_a_library_reaches_the_screen(folder: Path, recwarn: pytest.WarningsRecorder) -> None:
    url = f"sqlite:///{folder.parent}/other.db?password=secret"
    opened(make_spec(search=SearchMethod(sampler="random", pruner="none", storage=url)), folder)
    find_study("study", folder, url)
    assert [str(warning.message) for warning in recwarn] == []


def test_a_study_of_another_version_is_refused_with_both(folder: Path) -> None:
    study = opened(make_spec(), folder)
    study.set_user_attr(FORMAT_ATTR, {"format": 10, "autoft": "3.1.4"})
    said = r"made by autoft 3\.1\.4, which stores studies in format 10; this is autoft .*, with format 9"
    with pytest.raises(StudyError, match=said):
        opened(make_spec(), folder)
    with pytest.raises(StudyError, match=said):
        find_study("study", folder)


def test_a_study_whose_scores_were_at_another_threshold_is_read_and_not_continued(folder: Path) -> None:
    for task, objective, goes_on in (
        ("multi-label", "micro_f1", True),
        ("multi-label", "macro_f1", False),
        ("text-classification", "macro_f1", True),
    ):
        spec = make_spec(task=task, objective=objective, study=f"{task}-{objective}")
        opened(spec, folder).set_user_attr(FORMAT_ATTR, {"format": 8, "autoft": "0.1.0"})
        assert find_study(spec.study, folder).study_name == spec.study
        if goes_on:
            opened(spec, folder)
            continue
        with pytest.raises(StudyError, match="scored macro_f1 at the threshold of micro F1"):
            opened(spec, folder)


def test_a_storage_with_the_tables_of_another_program_is_refused(tmp_path):
    with closing(sqlite3.connect(tmp_path / "other.db")) as file, file:
        file.execute("CREATE TABLE alembic_version (version_num TEXT)")  # MLflow has one, for example
        file.execute("INSERT INTO alembic_version VALUES ('0a8213491aaa')")
    with pytest.raises(StudyError, match=r"other\.db holds the tables of another program, .* of its own$"):
        find_study("mine", tmp_path, f"sqlite:///{tmp_path}/other.db")
