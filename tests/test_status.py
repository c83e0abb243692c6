"""`autoft status`: the studies of a folder, whether they run or not, and what they have found so far."""

import io
import json
import sys
from dataclasses import replace
from datetime import datetime

import pytest

from autoft import cli
from autoft.errors import StudyError
from autoft.judge.replicas import name_of
from autoft.report.printing import new_console
from autoft.status import RunningTrial, Status, all_statuses, print_all, print_status, status_of
from autoft.study.layout import CONFIRM, DATABASE, LOCK, SPACE, study_folder
from autoft.study.lock import hold_session
from autoft.study.records import write_info
from autoft.study.storage import find_study

from .report.records import info
from .study.earlier import made, make_request, three_splits, write_rows

COPY = """\
study: {name}
task: text-classification
model: org/name
data: {{path: rows.csv, inputs: text, target: label}}
objective: macro_f1
budget: {{trials: {trials}}}
"""
TRIALS = (
    ({"learning_rate": 2e-5}, [0.5, 0.6]),
    ({"learning_rate": 1e-4}, [0.5, 0.7]),
    ({"learning_rate": 5e-4}, [0.4, None]),
)
"""Two complete ones, and one that is half done."""


def left(name, path, trials):
    """A study as a search leaves it that was killed in its third trial, with so many trials in its budget."""
    study = made(make_request(name, path), TRIALS)
    write_info(study, replace(info(), name=name))
    (study_folder(name) / SPACE).write_text(COPY.format(name=name, trials=trials))


@pytest.fixture
def rows(workdir):
    return write_rows(workdir / "rows", **three_splits("word"))


def printed(show, found):
    text = io.StringIO()
    console = new_console(text)
    show(found, console)
    return text.getvalue()


def test_a_study_is_running_stopped_or_done(rows):
    left("night", rows, trials=24)
    stopped = status_of("night")
    assert (stopped.state, stopped.searched_by, stopped.ended, stopped.budget) == ("stopped", None, 2, 24)
    assert stopped.trials == {"complete": 2, "interrupted": 1} and stopped.running == ()
    assert (stopped.best, stopped.best_trial, dict(stopped.best_params)) == (0.7, 1, {"learning_rate": 1e-4})
    with hold_session(study_folder("night")):
        running = status_of("night")
    assert running.state == "running" and "process " in str(running.searched_by)
    assert running.trials == {"complete": 2, "running": 1}
    assert running.running == (RunningTrial(2, 0.5, 0.4, {"learning_rate": 5e-4}),)
    copy = study_folder("night") / SPACE
    copy.write_text(COPY.format(name="night", trials=2))
    assert status_of("night").state == "done"
    for later in ("refit: true", "confirm: {top: 1, seeds: 3}"):
        copy.write_text(f"{COPY.format(name='night', trials=2)}{later}\n")
        assert status_of("night").state == "stopped"


def test_a_study_is_done_when_its_gpu_hours_are_spent_and_not_before_its_test_rows_are_asked(
    rows, monkeypatch
):
    left("night", rows, trials=24)
    study = find_study("night", study_folder("night"))
    copy = study_folder("night") / SPACE
    copy.write_text(copy.read_text().replace("trials: 24", "trials: 24, gpu_hours: 2"))
    monkeypatch.setattr("autoft.study.budget.gpu_seconds", lambda _: 7199.0)
    assert status_of("night").state == "stopped"
    monkeypatch.setattr("autoft.study.budget.gpu_seconds", lambda _: 7200.0)
    assert status_of("night").state == "done"
    write_info(study, replace(info(), name="night", data={"rows": {"train": 10, "test": 5}}))
    assert status_of("night").state == "stopped"


def test_trials_on_fresh_seeds_count_apart(rows):
    left("night", rows, trials=2)
    replicas = study_folder("night") / CONFIRM
    replicas.mkdir()
    other = make_request(name_of("night"), rows)
    made(other, TRIALS)
    (study_folder(other.study) / DATABASE).rename(replicas / DATABASE)
    found = status_of("night")
    assert (found.ended, found.afterwards, found.state) == (2, 2, "done")


def test_looking_leaves_no_file_and_all_studies_are_told_those_that_run_first(rows, workdir):
    assert "No study here" in printed(print_all, all_statuses())
    for name in ("older", "newer"):
        left(name, rows, trials=24)
    (workdir / "studies" / "broken").mkdir()
    (workdir / "studies" / "broken" / DATABASE).write_text("no database")
    (workdir / "studies" / "notes").mkdir()
    files = sorted(workdir.rglob("*"))
    assert [each.study for each in all_statuses()][:2] == ["newer", "older"]
    assert sorted(workdir.rglob("*")) == files and not (study_folder("older") / LOCK).exists()
    with hold_session(study_folder("older")):
        found = all_statuses()
    assert [(each.study, each.state) for each in found] == [
        ("older", "running"),
        ("newer", "stopped"),
        ("broken", "unreadable"),
    ]
    lines = printed(print_all, found).splitlines()
    (older,) = [line for line in lines if line.startswith("older")]
    assert older.split()[:9] == ["older", "running", "2", "of", "24", "2", "0", "0", "0.7000"]
    assert any(line.startswith("broken: cannot be read: search.storage: ") for line in lines)


def test_one_study_is_told_in_lines():
    found = Status(
        study="night",
        state="running",
        searched_by="process 7 on host h",
        trials={"complete": 2, "running": 1},
        budget=24,
        metric="macro_f1",
        best=0.7,
        best_trial=1,
        best_params={"learning_rate": 1e-4},
        began="2026-01-01T20:00:00+00:00",
        last_result=datetime.now().astimezone().isoformat(),
        training_s=600.0,
        running=(RunningTrial(2, 0.5, 0.4, {"learning_rate": 5e-4}), RunningTrial(3, 0.0, None, {})),
    )
    assert printed(print_status, found) == (
        "study      night: running, searched by process 7 on host h\n"
        "trials     2 of 24: 2 complete, 1 running\n"
        "best       macro_f1 0.7000, trial 1: learning_rate=0.0001\n"
        "time       10 min of training; last result 0 s ago\n"
        "runs now   trial 2, 50% of its training, macro_f1 0.4000: learning_rate=0.0005\n"
        "runs now   trial 3, 0% of its training, not measured yet: \n"
        "\n"
        "autoft show night [TRIAL]   every trial: parameters, curve, log\n"
    )


def test_the_command_gives_json_and_says_what_is_not_there(rows, monkeypatch, capsys):
    left("night", rows, trials=24)
    for words in (["night"], []):
        monkeypatch.setattr(sys, "argv", ["autoft", "status", *words, "--json"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 0
        given = json.loads(capsys.readouterr().out)
        one = given if words else given[0]
        assert (one["study"], one["trials"]) == ("night", {"complete": 2, "interrupted": 1})
        assert datetime.fromisoformat(one["began"]) <= datetime.fromisoformat(one["last_result"])
    with pytest.raises(StudyError, match="study 'nothing': there is none"):
        status_of("nothing")
