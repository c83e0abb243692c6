"""What a session decides before the first trial."""

import io
import os
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from dataclasses import is_dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from autoft import session
from autoft.data.files import read_table
from autoft.data.seal import TEST_FILE
from autoft.errors import DataError, StudyError
from autoft.kernel import model_summary
from autoft.spec.read import read_spec
from autoft.study.layout import DATA, sealed_folder, study_folder
from autoft.study.lessons import read_lessons
from autoft.study.ray_tune.runtime import Runtime
from autoft.study.records import read_info
from autoft.study.start import read_start
from autoft.tracking.aliases import Promotion
from autoft.tracking.retrieval import Best

from .report.test_check import (  # noqa: F401
    checked,
    doubtful_space,
    learning_space,
    no_ray_and_no_tracking,
    tiny_space,
)


@pytest.fixture
def begun(workdir, monkeypatch):
    """Begins a search as the command does; gives the study when its trials would run."""
    monkeypatch.setattr(session, "_search", lambda searched, *_: searched.study)
    return lambda space, file=None: session.run_session(
        read_spec(space), Console(file=file or io.StringIO(), width=80)
    )


def test_a_new_study_keeps_what_it_learns_and_tries_the_best_of_it(begun, workdir):
    study = begun(learning_space(workdir))
    (lesson,) = read_lessons(study)
    assert (lesson.study, lesson.likeness.model, lesson.outside) == ("old", 1.0, 1)
    assert [trial.score for trial in lesson.trials] == [0.9, 0.7, 0.3]
    learned = read_start(study).learned
    # 5e-4 is the default of so small a model.
    assert [point["learning_rate"] for point in learned] == [1e-4, 8e-5]
    (build,) = read_info(study).architectures.values()
    assert build == "BertForSequenceClassification of 3 blocks"


def test_a_study_goes_on_with_the_values_that_were_recommended_when_it_was_made(begun, workdir, monkeypatch):
    values = {"epochs": 4, "batch_size": 8, "learning_rate": 5e-4}
    monkeypatch.setattr(model_summary, "recommended_in", lambda *_: values)
    space = {**learning_space(workdir), "search": {"sampler": "random"}}
    made = read_info(begun(space)).fixed
    monkeypatch.setattr(model_summary, "recommended_in", lambda *_: {**values, "epochs": 9})
    assert read_info(begun(space)).fixed == made
    assert made["batch_size"] == 8


def test_nothing_that_workers_are_given_leads_to_the_test_rows(workdir, monkeypatch):
    space = tiny_space(workdir, "bert", study="s")
    texts = [f"row{i:03d}x {color}" for i in range(20) for color in ("red", "green", "blue")]
    (workdir / "rows.csv").write_text("text,label\n" + "".join(f"{t},{t.split()[1]}\n" for t in texts))
    given = []

    def run(study, spec, make_workbench, *, folder, files, **_):
        given.extend(_paths([vars(make_workbench), folder, *files]))
        return True  # stopped, before any trial

    @contextmanager
    def ray_runtime(resources, log):
        yield Runtime(1, 0.0, 1, local=True, scratch=workdir / "scratch")

    monkeypatch.setattr(session, "run", run)
    monkeypatch.setattr(session, "ray_runtime", ray_runtime)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workdir}/mlflow.db")
    earlier = study_folder("s") / DATA / TEST_FILE  # where it lay before
    earlier.parent.mkdir(parents=True)
    earlier.touch()
    with pytest.raises(KeyboardInterrupt):
        session.run_session(read_spec(space), Console(file=io.StringIO()))

    sealed = sealed_folder("s") / TEST_FILE
    held_out = read_table(sealed).column("input_0").to_pylist()
    assert len(held_out) == 9  # 15 % of each color's 20
    assert {study_folder("s"), study_folder("s") / DATA, workdir / "bert"} <= set(given)
    assert not any(sealed.resolve().is_relative_to(path.resolve()) for path in given)
    below = [Path(top) / name for path in given for top, _, names in os.walk(path) for name in names]
    files = {*below, *(path for path in given if path.is_file())}
    told = {path.name for path in files if b"row0" in path.read_bytes()}
    assert told == {"rows.arrow", "study.db"}  # what was found in training rows shows a few of them
    assert not any(text.encode() in path.read_bytes() for path in files for text in held_out)
    assert not any(path.is_symlink() for path in files)


def _paths(value):
    """All absolute paths in a value and its parts."""
    if isinstance(value, str | Path):
        return [Path(value)] if Path(value).is_absolute() else []
    if is_dataclass(value):
        value = vars(value)
    if isinstance(value, Mapping):
        value = [*value, *value.values()]
    return [path for each in value for path in _paths(each)] if isinstance(value, Iterable) else []


def test_a_refused_study_leaves_nothing_behind(begun, workdir):
    space = learning_space(workdir)
    with pytest.raises(StudyError, match=r"cannot learn from 'odl': .* did you mean 'old'"):
        begun({**space, "search": {"learn_from": ["odl"]}})
    assert not study_folder("new").exists()


def test_copies_between_splits_are_refused_before_anything_is_written(begun, workdir):
    space = doubtful_space(workdir)
    space["data"]["on_leak"] = "error"
    with pytest.raises(DataError, match=r"validation rows are also in train.*data\.on_leak: warn"):
        begun(space)
    assert not study_folder("tiny").exists()


def test_a_study_keeps_what_was_found_and_goes_on_with_the_rows_that_were_left(begun, workdir):
    space = doubtful_space(workdir)
    space["data"]["on_leak"] = "drop"
    info = read_info(begun(space))
    assert [each.rule for each in info.findings][:2] == ["labels alike", "copies"]
    assert info.findings[1].counts["train"] == 42 - info.data["rows"]["train"]
    assert info.findings[-1].rule == "cut rows"
    again = read_info(begun(space))  # the same request finds its study
    assert (again.findings, again.data) == (info.findings, info.data)


def test_who_interrupts_hears_what_has_become_of_the_winners_model(workdir, monkeypatch):
    best = Best("new", {}, "macro_f1", 0.7, 3, "run", "models:/tickets/2", {})
    stays = Promotion("candidate", "if_better", "stays candidate: the budget is unfinished.", final=False)
    stays = replace(stays, advice="Run the same command again.")
    told = []
    monkeypatch.setattr(session, "_run_trials", lambda *_: True)
    monkeypatch.setattr(session.Searched, "winner", lambda _: best)
    monkeypatch.setattr(session.Searched, "register_winner", lambda *_, **__: (best, stays, None))
    monkeypatch.setattr(session.Searched, "store_promotion", lambda *_: None)
    recorder = SimpleNamespace(
        catch_up=list, flush=lambda *_, **__: None, registered=told.append, close=lambda *_, **__: None
    )
    monkeypatch.setattr(session.Searched, "recorder", lambda _: recorder)
    said = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        session.run_session(read_spec(tiny_space(workdir, "bert")), Console(file=said, width=60))
    assert said.getvalue().splitlines()[-1] == (
        "models:/tickets/2 stays candidate: the budget is unfinished. Run the same command again."
    )
    assert told == ["models:/tickets/2"]


def test_what_check_finds_in_the_rows_is_told_at_the_start_in_the_same_words(begun, workdir):
    space, file = doubtful_space(workdir), io.StringIO()
    begun(space, file)
    told = [line.removeprefix("data: ") for line in file.getvalue().splitlines()]
    said = [line.strip() for line in checked(space=space)[1].splitlines() if "WARNING: " in line]
    assert len(said) > 3 and told == said
