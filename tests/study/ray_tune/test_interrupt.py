"""A search that is interrupted or killed leaves nothing behind but a study that goes on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autoft.study.layout import checkpoint_name, log_name
from autoft.study.ray_tune.run import run
from autoft.study.ray_tune.runtime import Runtime
from autoft.study.records import read_trials
from autoft.study.storage import find_study

from ..scripted import Diary, make_spec, workbench

TIMEOUT_S = 60


def processes_of(scratch: str) -> list[str]:
    """Command lines of processes that belong to the Ray with this folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if scratch in command:
            found.append(command)
    return found


def wait_until_gone(scratch: str) -> None:
    until = time.monotonic() + TIMEOUT_S
    while left := processes_of(scratch):
        assert time.monotonic() < until, left
        time.sleep(0.1)


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_what_was_running_is_run_again_by_the_next_session(
    kind: signal.Signals, folder: Path, two_workers: Runtime
) -> None:
    (folder / "tree/a").mkdir(parents=True)
    (folder / "tree/a/b.txt").write_text("b")
    (folder / "rows.txt").write_text("rows")
    request = {"trials": 3, "max_concurrent": 2, "sleep_s": 0.5}
    request |= {"folder": str(folder), "file": str(folder / "rows.txt"), "tree": str(folder / "tree")}
    driver = subprocess.Popen(
        [sys.executable, Path(__file__).parent.with_name("driver.py"), json.dumps(request)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert driver.stdout is not None
    scratch = driver.stdout.readline().strip()
    until = time.monotonic() + TIMEOUT_S
    while not (folder / checkpoint_name(0, 1)).exists():
        assert driver.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    if kind == signal.SIGINT:
        os.killpg(driver.pid, kind)  # as a terminal does: workers get it too
    else:
        driver.send_signal(kind)
    assert driver.wait(TIMEOUT_S) == (-signal.SIGKILL if kind == signal.SIGKILL else 130)
    wait_until_gone(scratch)
    assert Path(scratch).exists() == (kind == signal.SIGKILL)
    shutil.rmtree(scratch, ignore_errors=True)

    study = find_study("study", folder)
    before = read_trials(study)
    assert {trial.state for trial in before} == {"RUNNING"}
    assert all(trial.reason is None for trial in before)

    diary, spec = Diary(), make_spec(trials=3)
    run(study, spec, workbench(lambda n: [0.5, 0.6]), callbacks=[diary], folder=folder, runtime=two_workers)
    after = read_trials(study)
    assert [trial.state for trial in after] == ["COMPLETE"] * 3
    assert [entry[1] for entry in diary.entries if entry[0] == "started"] == [0, 1, 2]
    for trial in before:
        assert after[trial.number].params == trial.params
        assert after[trial.number].seed == trial.seed
        assert "attempt 2" in (folder / log_name(trial.number)).read_text()
