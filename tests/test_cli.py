import json
import os
import re
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from autoft import cli, session
from autoft.errors import AutoftError
from autoft.report.outcome import Outcome
from autoft.report.printing import new_console
from autoft.report.required import meets
from autoft.spec.requirement import read_requirement
from autoft.spec.study import Budget
from autoft.spec.tasks import TASKS

from .main_job import SHORT, SPACE, Running, run, run_from_the_start, short_search, small_model
from .report.records import info, on_test, trial
from .test_winner import BEST


def test_help_lists_the_commands_and_their_exit_codes(tmp_path):
    done = run_from_the_start(tmp_path, "--help")
    for command in ("init", "search", "status", "check", "best", "show", "ui", "explain", "schema"):
        assert f" {command} " in done.out
    assert re.search(r"Exit codes: 0 done, 1 .* 2 usage, 3 .* 4 .* 5 .* 130", " ".join(done.out.split()))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["search", "missing.yaml"], 1, "missing.yaml"),
        (["search", "space.yaml"], 1, "space.yaml:3: objective: must be"),
        (["check", "space.yaml", "-o", "budget.trails=3"], 1, "-o: budget.trails: "),
        (["best", "nothing"], 1, "no study"),
        (["show", "nothing"], 1, "study 'nothing': there is none"),
        (["explain", "learnin_rate"], 1, "learning_rate"),
        (["serch"], 2, "search"),
        (["search"], 2, "SPACE"),
        (["search", "good.yaml", "--require", "accuracy>=0.9"], 2, "got the metric 'accuracy'"),
        (["best", "--jsn", "x"], 2, "--json"),
    ],
)
def test_a_mistake_ends_with_its_code_and_words_and_no_traceback(tmp_path, arguments, code, said):
    (tmp_path / "space.yaml").write_text(
        "task: text-classification\nmodel: org/name\nobjective: macro_f2\n"
        "data: {path: rows.csv, inputs: text, target: label}\nbudget: {trials: 3}\n"
    )
    (tmp_path / "good.yaml").write_text((tmp_path / "space.yaml").read_text().replace("f2", "f1"))
    ran = run_from_the_start(tmp_path, *arguments)
    assert (ran.code, said in ran.err) == (code, True), ran
    assert "Traceback" not in ran.err + ran.out


def test_explain_and_schema_print_what_the_parser_knows(tmp_path):
    assert "peak learning rate" in run_from_the_start(tmp_path, "explain", "learning_rate").out
    schema = json.loads(run_from_the_start(tmp_path, "schema").out)
    assert "learning_rate" in json.dumps(schema)


def test_a_study_without_a_complete_trial_exits_with_3_and_says_why(monkeypatch, workdir, capsys):
    failed = trial(0, "FAIL", values=(), reason="RuntimeError: boom")
    outcome = Outcome(info(), [failed], budget=Budget(1), limit=None, ran=1, best=None, unrecorded=None)
    monkeypatch.setattr(session, "run_session", lambda *_: outcome)
    monkeypatch.setattr(sys, "argv", ["autoft", "search", str(SPACE)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 3
    assert "1 x RuntimeError: boom" in capsys.readouterr().out


@pytest.mark.parametrize("model_uri", [None, "models:/study/1"])
def test_a_winner_or_record_that_mlflow_does_not_take_exits_with_5_and_says_why(
    model_uri, monkeypatch, workdir, capsys
):
    best = replace(BEST, trial=0, model_uri=model_uri)
    complete = [trial(0, "COMPLETE")]
    outcome = Outcome(info(), complete, Budget(1), limit=None, ran=1, best=best, unrecorded="no room")
    monkeypatch.setattr(session, "run_session", lambda *_: outcome)
    monkeypatch.setattr(sys, "argv", ["autoft", "search", str(SPACE)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 5
    out = capsys.readouterr().out
    assert "not recorded: no room" in out
    assert f"model      {model_uri or 'not registered'}" in out


@pytest.mark.parametrize(
    ("required", "code", "said"),
    [
        ("macro_f1>=0.7", 0, "macro_f1>=0.7: met, the winner's score on the validation rows is 0.7000"),
        (
            "macro_f1 >= 0.71",
            4,
            "macro_f1>=0.71: NOT met, the winner's score on the validation rows is 0.7000",
        ),
    ],
)
def test_a_winner_that_falls_short_of_what_is_required_exits_with_4(
    required, code, said, monkeypatch, workdir, capsys
):
    best = replace(BEST, trial=0, value=0.7)
    outcome = Outcome(info(), [trial(0)], Budget(1), limit=None, ran=1, best=best, unrecorded=None)
    monkeypatch.setattr(session, "run_session", lambda *_: outcome)
    monkeypatch.setattr(sys, "argv", ["autoft", "search", str(SPACE), "--require", required])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
    assert f"required {said}" in " ".join(capsys.readouterr().out.split())


def test_what_is_required_is_held_against_the_test_rows_where_they_were_opened(capsys):
    found = replace(info(), tested=on_test(0.65))
    best = replace(BEST, trial=0, value=0.7)
    outcome = Outcome(found, [trial(0)], Budget(1), limit=None, ran=1, best=best, unrecorded=None)
    required = read_requirement("macro_f1>=0.7", TASKS["text-classification"].metrics["macro_f1"])
    assert not meets(outcome, required, new_console())
    assert "NOT met, the winner's score on the test rows is 0.6500" in " ".join(
        capsys.readouterr().out.split()
    )
    untested = replace(outcome, info=replace(info(), data={"rows": {"test": 9}}))
    assert not meets(untested, required, new_console())
    assert "no winner has been asked for the test rows yet" in " ".join(capsys.readouterr().out.split())


def test_the_command_to_go_on_with_keeps_its_options_and_shows_no_password(monkeypatch, workdir, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "run_session", interrupted)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # this process goes on
    monkeypatch.setattr(os, "_exit", sys.exit)
    words = [
        "-o",
        "tracking.uri=http://me:hunter2@127.0.0.1:9",
        "-o",
        "budget.trials=3",
        "--for",
        "8h",
        "--require",
        "macro_f1>=0.9",
    ]
    monkeypatch.setattr(sys, "argv", ["autoft", "search", "my spaces/tickets.yaml", *words])
    Path("my spaces").mkdir()
    shutil.copy(SPACE, "my spaces/tickets.yaml")
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130
    told = capsys.readouterr().out.splitlines()[-1]
    assert told == (
        "autoft search 'my spaces/tickets.yaml' -o tracking.uri=http://me:***@127.0.0.1:9 "
        "-o budget.trials=3 --for 8h --require 'macro_f1>=0.9'"
    )


def test_an_error_of_autofts_own_is_shown_whole(monkeypatch, workdir):
    """Only what the user can fix is put in one line; a bug keeps its traceback."""

    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(session, "run_session", broken)
    monkeypatch.setattr(sys, "argv", ["autoft", "search", str(SPACE)])
    assert not issubclass(ZeroDivisionError, AutoftError)
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_check_says_what_the_search_would_do_and_leaves_nothing_behind(tmp_path):
    ran = run(tmp_path, "check", str(SPACE))
    assert ran.code == 0, ran
    for said in (
        "633 train, 136 validation, 136 test; 9 labels",
        "22,716,681 parameters, 6 blocks (BertLayer)",
        "depth all  trains    22,716,681 (100.0%)",
        "240 steps a trial, 12 measurements",  # ceil(633 / 16) = 40 steps, 6 epochs
        "depth 0: 1.2 MB, the first token of a row, after block 6",
        "mlflow.db will be created by the search; its folder is writable",
        "Nothing stands in the way.",
    ):
        assert said in ran.out
    assert list(tmp_path.iterdir()) == []


def test_check_shows_all_that_is_wrong_and_exits_with_1(tmp_path):
    ran = run(
        tmp_path, "check", str(SPACE),
        "-o", "data.target=que", "-o", "resources.cpus_per_trial=999", "-o", "tracking.uri=http://127.0.0.1:9",
    )  # fmt: skip
    assert ran.code == 1
    assert "no column `que`; the file has: text, queue, urgency; did you mean `queue`?" in ran.out
    assert "asks for 999 CPUs" in ran.out
    assert "tracking.uri: the MLflow store at http://127.0.0.1:9 does not answer" in ran.out
    assert "3 problems" in ran.out
    assert "Traceback" not in ran.out + ran.err


def test_the_commands_that_the_end_names_find_a_study_that_is_stored_and_published_elsewhere(tmp_path):
    places = ("search.storage=sqlite:///elsewhere.db", "tracking.uri=sqlite:///published.db")
    small = (small_model(), *places)
    ended = short_search(tmp_path, "budget.trials=1", *small)
    assert ended.code == 0, ended
    assert not (tmp_path / "studies" / "quickstart" / "study.db").exists()
    assert json.loads(run(tmp_path, "best", "quickstart", "--json").out)["trial"] == 0
    shown = run(tmp_path, "show", "quickstart")
    assert (shown.code, "complete" in shown.out) == (0, True), shown
    assert not (tmp_path / "mlflow.db").exists()
    options = [word for text in (*SHORT, "budget.trials=3", *small) for word in ("-o", text)]
    refused = run(tmp_path, "check", str(SPACE), *options, "-o", "search.seed=5")
    assert (refused.code, "search.seed: was 0, is now 5" in refused.out) == (1, True), refused


@pytest.mark.parametrize("how", ["ctrl-c", "sigterm to all"])
def test_a_stopped_search_ends_with_130_and_the_command_to_go_on_with_which_goes_on(how, tmp_path):
    options = [word for text in (*SHORT, small_model(), "budget.trials=1") for word in ("-o", text)]
    search = Running(tmp_path, "search", str(SPACE), *options, "--for", "8h")
    log = tmp_path / "studies" / "quickstart" / "logs"
    until = time.monotonic() + 120
    while not list(log.glob("trial-*.log")) and time.monotonic() < until:
        time.sleep(0.1)
    family = psutil.Process(search.pid).children(recursive=True)
    folders = {
        Path(found) for each in family for found in re.findall(r"/\S*?/autoft-\w+", " ".join(each.cmdline()))
    }
    assert len(folders) == 1 and all(folder.exists() for folder in folders)
    if how == "ctrl-c":
        os.kill(search.pid, signal.SIGINT)
    else:  # as systemd and Slurm do
        for each in [*family, psutil.Process(search.pid)]:
            each.terminate()
    ended = search.end(60)
    assert (ended.code, ended.err) == (130, "")
    assert "No trial is complete yet, so none is registered.\nInterrupted." in ended.out
    assert "go on with:\nautoft search" in ended.out
    assert ended.out.rstrip().endswith("--for 8h")
    assert not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in family)
    assert not any(folder.exists() for folder in folders)
    if how == "ctrl-c":
        return  # the other one goes on below, and after `autoft stop` in test_control.py
    again = run(tmp_path, "search", str(SPACE), *options)
    assert again.code == 0, again
    assert "1 of 1" in again.out
