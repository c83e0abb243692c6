"""`autoft check --rehearse` on the quickstart's rows and model: what it tells, and that nothing stays."""

import os
import re
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner

from autoft import cli, rehearsal
from autoft.errors import TrackingError
from autoft.report import check
from autoft.study.ray_tune.runtime import Runtime

from .main_job import SPACE, Running, run

OVERRIDES = (
    "space.unfreeze_depth=[0, 1]",
    "space.batch_size=[8, 16]",
    "space.max_length=32",
    "space.early_stopping=0.01",
)
"""Two depths and two batch sizes: four corners. Early stopping ends no trial of a rehearsal."""


def words(uri, *overrides):
    given = (*OVERRIDES, f"tracking.uri={uri}", *overrides)
    return ["check", str(SPACE), "--rehearse", *(word for text in given for word in ("-o", text))]


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory):
    """The empty folder in which it ran, the tracking store elsewhere, and what it printed."""
    folder, other = tmp_path_factory.mktemp("rehearsal"), tmp_path_factory.mktemp("tracking")
    uri = f"sqlite:///{other / 'mlflow.db'}"
    return folder, uri, run(folder, *words(uri))


def found(ran, pattern):
    match = re.search(pattern, ran.out, re.MULTILINE)
    assert match, (pattern, ran.out)
    return match


def test_it_goes_well_and_tells_memory_speed_and_disk(rehearsed):
    _, _, ran = rehearsed
    assert (ran.code, "Traceback" in ran.out + ran.err) == (0, False), ran
    assert ran.out.endswith("The rehearsal went well.\n")
    size = found(ran, r"^memory +on \S+: at most ([\d.]+) (MB|GB) a trial")
    unit = {"MB": 1e6, "GB": 1e9}[size[2]]
    # More than the model's 22.7 million numbers of 4 bytes, less than a machine has.
    assert 91e6 < float(size[1]) * unit < 16e9
    # 22,716,681 numbers of 4 bytes, tokenizer and description.
    assert 90 < float(found(ran, r"^model +([\d.]+) MB: checkpoint and MLflow model")[1]) < 100
    found(
        ran,
        r"^disk +[\d.]+ [MGT]B at most: checkpoints .+, resume files .+, MLflow model .+ are free$",
    )


def test_the_costly_corners_take_longer_than_the_cheap_ones(rehearsed):
    _, _, ran = rehearsed
    told = re.findall(
        r"([\d.e-]+) s a step, at most .+ a trial: .*unfreeze_depth=(\S+) max_length=32 batch_size=(\S+)",
        ran.out,
    )
    steps_s = {(depth, batch): float(seconds) for seconds, depth, batch in told}
    assert set(steps_s) == {("0", "8"), ("0", "16"), ("1", "8"), ("1", "16")}
    # A block forwards and backwards, against a matrix of 384 by 9 on stored states.
    assert steps_s["1", "16"] > steps_s["0", "16"]


def test_nothing_stays(rehearsed):
    folder, uri, ran = rehearsed
    assert ran.code == 0, ran
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert not list(folder.glob(".autoft*")) and not (folder / "studies").exists()
    client = MlflowClient(uri)
    active = client.search_experiments()
    assert {each.name for each in active} <= {"Default", "quickstart"}  # the study's own: the search needs it
    assert client.search_runs([each.experiment_id for each in active]) == []
    assert client.search_logged_models([each.experiment_id for each in active]) == []
    assert client.search_registered_models() == []


@pytest.fixture
def no_ray_in_check(monkeypatch):
    @contextmanager
    def runtime(resources, log):
        yield Runtime(1, 0.0, 2, local=True, scratch=Path())

    monkeypatch.setattr(check, "ray_runtime", runtime)


def test_where_the_check_finds_a_problem_nothing_is_tried(workdir, no_ray_in_check):
    ended = CliRunner().invoke(cli.app, words("sqlite:////dev/null/mlflow.db"))
    assert ended.exit_code == 1, ended.output
    assert re.search(r"^tracking +PROBLEM: ", ended.output, re.MULTILINE)
    assert "\nrehearsal" not in ended.output
    assert list(workdir.iterdir()) == []


def test_a_store_that_refuses_the_model_ends_with_1(workdir, no_ray_in_check, monkeypatch):
    """What is tried before it is left out: its real course is in the other tests."""

    def refuse(*_):
        raise TrackingError("the artifact store is full")

    monkeypatch.setattr(rehearsal._Rehearsal, "run", refuse)
    monkeypatch.setattr(check, "probe", lambda *_: "takes runs and files")
    ended = CliRunner().invoke(cli.app, words("sqlite:///elsewhere.db"))
    assert ended.exit_code == 1, ended.output
    assert "rehearsal  PROBLEM: the artifact store is full\n\n1 problem;" in ended.output
    assert list(workdir.iterdir()) == []


def test_an_interrupt_leaves_nothing(tmp_path):
    other = tmp_path / "tracking"
    folder = tmp_path / "here"
    other.mkdir()
    folder.mkdir()
    running = Running(folder, *words(f"sqlite:///{other / 'mlflow.db'}"))
    until = time.monotonic() + 120
    while not list(folder.glob(".autoft-rehearsal-*/kind-0/study.db")):
        assert running.poll() is None and time.monotonic() < until
        time.sleep(0.1)
    os.kill(running.pid, signal.SIGINT)
    ended = running.end(60)
    assert ended.code == 130, ended
    # Python itself tells of an interrupt that it drops, from "Exception ignored" to its name.
    told = re.sub(r"Exception ignored .*?\nKeyboardInterrupt:?", "", ended.out + ended.err, flags=re.DOTALL)
    assert "Traceback" not in told, ended
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert not list(folder.glob(".autoft*"))
