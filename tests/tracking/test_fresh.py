"""A tracking store that did not exist, made by a process that is killed meanwhile, or by two at once."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from mlflow import MlflowClient

from autoft.tracking import store
from autoft.tracking.fresh import make_whole

MAKES = """
import os, sys
sys.path.insert(0, {root!r})
from autoft.tracking import store
print("begins", flush=True)
store.connect(sys.argv[1])
"""


def tables(file):
    with sqlite3.connect(file) as connection:
        return {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}


def test_a_process_that_is_killed_while_it_makes_the_store_leaves_none_that_is_broken(tmp_path):
    file = tmp_path / "mlflow.db"
    from .. import main_job

    script = MAKES.format(root=str(main_job.REPOSITORY))
    process = subprocess.Popen([sys.executable, "-c", script, f"sqlite:///{file}"], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"begins\n"
    until = time.monotonic() + 60
    while not (begun := list(tmp_path.glob(".mlflow.db.*/new.db"))) or len(tables(begun[0])) < 5:
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not file.exists()
    client = store.connect(f"sqlite:///{file}")
    assert client.get_experiment("0").artifact_location.endswith("/mlruns/0")
    assert tables(file) >= {"experiments", "runs", "registered_models", "logged_models"}


def test_a_store_that_stands_is_left_alone_and_of_two_new_ones_the_first_stands(tmp_path):
    file = tmp_path / "mlflow.db"
    uri = f"sqlite:///{file}"
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(make_whole, [uri, uri]))
    experiment = MlflowClient(uri).create_experiment("mine")
    before = file.stat().st_ino
    make_whole(uri)
    assert file.stat().st_ino == before
    assert store.connect(uri).get_experiment(experiment).name == "mine"
    assert list(tmp_path.iterdir()) == [file]


def test_what_is_no_sqlite_file_is_not_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for where in ("http://127.0.0.1:9", "postgresql://me@127.0.0.1/mlflow", "sqlite:///:memory:", "./mlruns"):
        make_whole(where)
    assert not list(tmp_path.iterdir())
