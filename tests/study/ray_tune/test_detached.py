"""Signals that are sent to everything that a search has started, in a real Ray."""

import os
import signal
from pathlib import Path

import psutil

from autoft.study.identity import identity_of
from autoft.study.layout import resume_name
from autoft.study.ray_tune import detached
from autoft.study.ray_tune.run import run
from autoft.study.ray_tune.runtime import Runtime
from autoft.study.records import read_trials
from autoft.study.storage import open_study

from ..scripted import make_spec, sleep, workbench


def blocked(pid: int) -> set[signal.Signals]:
    """Signals that reach no thread of the process: of its first one, whose children inherit it."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = int(status.split("SigBlk:")[1].split()[0], 16)
    return {each for each in signal.Signals if mask >> (each - 1) & 1}


def started_by(runtime: Runtime) -> list[psutil.Process]:
    """All of its Ray's processes; this one has other children, which other tests need."""
    own = detached._sessions(runtime.scratch)
    return [each for each in psutil.Process().children(recursive=True) if os.getsid(each.pid) in own]


def test_all_that_ray_has_started_is_in_sessions_of_its_own_and_deaf(two_workers: Runtime) -> None:
    family, own = started_by(two_workers), detached._sessions(two_workers.scratch)
    names = {each.name() for each in family}
    assert {"gcs_server", "raylet"} <= names
    assert any(name.startswith("ray::") for name in names)  # workers, which Ray starts in advance
    for each in family:
        assert blocked(each.pid) >= {signal.SIGTERM, signal.SIGHUP, signal.SIGINT}, each
    assert os.getsid(0) not in own


def test_processes_that_are_not_rays_are_not_ended(two_workers: Runtime, tmp_path: Path) -> None:
    assert detached._sessions(tmp_path) == set()
    detached._end(set())


def test_sigterm_to_all_processes_stops_the_search_in_order(folder: Path, two_workers: Runtime) -> None:
    """As systemd and Slurm send it: GCS and raylet would end before a trial has saved its state."""
    spec = make_spec(trials=4)
    study = open_study(spec, folder, identity_of(spec, "digest"))

    class Sends:
        """To everything, once both trials run and have saved their state."""

        def started(self, number: int) -> None: ...

        def finished(self, number: int) -> None: ...

        def measured(self, _: int, measurement: object) -> None:
            if not sent and all((folder / resume_name(n, 1)).exists() for n in (0, 1)):
                sent.append(True)
                for each in [*started_by(two_workers), psutil.Process()]:
                    each.terminate()

    sent: list[bool] = []
    make = workbench(lambda n: [0.1 * k for k in range(1, 31)], before=sleep(0.3))
    assert run(study, spec, make, callbacks=[Sends()], folder=folder, runtime=two_workers)
    assert [(trial.state, trial.reason) for trial in read_trials(study)] == [("RUNNING", None)] * 2
    make = workbench(lambda n: [0.1 * k for k in range(1, 31)])
    assert not run(study, spec, make, callbacks=[], folder=folder, runtime=two_workers)  # by the same Ray
    after = read_trials(study)
    assert [(trial.state, trial.attempt) for trial in after] == [("COMPLETE", n) for n in (2, 2, 1, 1)]
