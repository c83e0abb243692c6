"""A worker that does not stop in time. It keeps its place in the tests' Ray, so this file is the last one."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from autoft.study.places import resume_name
from autoft.study.ray_tune.run import run
from autoft.study.ray_tune.runtime import Runtime
from autoft.study.records import read_trials
from autoft.study.storage import identity_of, open_study

from ..scripted import make_spec, workbench
from .test_faults import search


def test_what_does_not_look_up_is_left_as_it_is_at_the_end_of_the_grace(
    folder: Path, one_worker: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autoft.study.ray_tune.process.GRACE_S", 2.0)
    spec = make_spec(trials=2)
    study = open_study(spec, folder, identity_of(spec, "digest"))

    def stop() -> None:
        while not (folder / resume_name(0, 1)).exists():
            time.sleep(0.05)
        time.sleep(0.5)
        asked.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    asked: list[float] = []
    threading.Thread(target=stop).start()
    before = lambda number, index: time.sleep(60 if index == 2 else 0)  # noqa: E731 - a script
    make = workbench({0: [0.1, 0.2], 1: [0.5]}, before=before)
    assert run(study, spec, make, watchers=[], folder=folder, runtime=one_worker)
    assert time.monotonic() - asked[0] < 15
    assert [(t.state, len(t.measurements)) for t in read_trials(study)] == [("RUNNING", 1)]
    after = search(spec, workbench({0: [0.1, 0.2], 1: [0.5]}), folder, one_worker)
    assert [(trial.state, trial.attempt) for trial in after] == [("COMPLETE", 2), ("COMPLETE", 1)]
