"""A real cluster of two nodes on 127.0.0.1, one of which sees nothing of the driver's folder."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from autoft.errors import StudyError
from autoft.study.comparison import ranked
from autoft.study.layout import checkpoint_name, log_name
from autoft.study.records import TrialRecord, read_trials
from autoft.study.storage import find_study

from ...cluster import TIMEOUT_S, blind_node, can_blind, free_port, head_node, wait_for_nodes

FORBIDDEN = "unshare is not permitted here, so no node can be made blind"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The driver's folder, with a file and a folder that workers need."""
    made = tmp_path / "driver"
    (made / "tree/a").mkdir(parents=True)
    (made / "tree/a/b.txt").write_text("b")
    (made / "rows.txt").write_text("rows")
    return made


@pytest.fixture
def address(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A head that sees the driver's folder, and a node with another host name that sees an empty one."""
    if not can_blind():
        pytest.skip(FORBIDDEN)
    port, token = free_port(), tmp_path / "token"
    token.write_text(secrets.token_hex(32))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
    with head_node(port, 1, tmp_path / "head.log"), blind_node(port, folder, tmp_path / "elsewhere"):
        wait_for_nodes(f"127.0.0.1:{port}", 2)
        yield f"127.0.0.1:{port}"


def test_trials_run_on_both_nodes_and_everything_arrives_at_the_driver(folder: Path, address: str) -> None:
    request = {
        "folder": str(folder),
        "trials": 6,
        "max_concurrent": 2,
        "sleep_s": 0.75,
        "address": address,
        "file": str(folder / "rows.txt"),
        "tree": str(folder / "tree"),
    }
    driver = Path(__file__).parent.with_name("driver.py")
    secret = {"HF_TOKEN": "hf_not_in_any_log"}
    ran = subprocess.run(
        [sys.executable, str(driver), json.dumps(request)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, **secret},
    )
    assert ran.returncode == 0, ran.stderr

    study = find_study("study", folder)
    trials = read_trials(study)
    assert [trial.state for trial in trials] == ["COMPLETE"] * 6, [trial.reason for trial in trials]
    assert [trial.score for trial in trials] == pytest.approx([0.1 * n + 0.05 for n in range(6)])

    sees = {trial.node: trial.measurements[0].metrics["sees_folder"] for trial in trials}
    assert sees.pop("elsewhere") == 0.0
    assert list(sees.values()) == [1.0]
    for trial in trials:
        seen = trial.measurements[-1].metrics
        assert seen["file_is_whole"] == seen["folder_is_whole"] == seen["scratch_is_mine"] == 1.0
        assert f"trial {trial.number} is number" in (folder / log_name(trial.number)).read_text()

    # Trial 5 is the best; a later trial's checkpoint arrives wherever it ran, the others have lost.
    assert ranked(trials, "maximize")[0] == trials[5]
    assert (folder / checkpoint_name(5, 1)).read_text() == f"{0.1 * 5 + 0.05}"
    assert len(list((folder / "checkpoints").iterdir())) == 2  # of the best, and of the default


def test_a_node_that_dies_loses_nothing_and_one_that_joins_is_used(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not can_blind():
        pytest.skip(FORBIDDEN)
    port, token = free_port(), tmp_path / "token"
    address = f"127.0.0.1:{port}"
    token.write_text(secrets.token_hex(32))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
    request = {"folder": str(folder), "trials": 5, "max_concurrent": 2, "sleep_s": 1.0, "address": address}
    request |= {"file": str(folder / "rows.txt"), "tree": str(folder / "tree")}
    with ExitStack() as stack:
        stack.enter_context(head_node(port, 0, tmp_path / "head.log"))
        first = stack.enter_context(blind_node(port, folder, tmp_path / "first"))
        wait_for_nodes(address, 2)
        script = Path(__file__).parent.with_name("driver.py")
        driver = stack.enter_context(
            subprocess.Popen([sys.executable, script, json.dumps(request)], stderr=subprocess.PIPE, text=True)
        )
        deadline = time.monotonic() + TIMEOUT_S
        while not (trials := _trials_so_far(folder)) or not trials[-1].measurements:
            assert driver.poll() is None, driver.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.2)
        os.killpg(first.pid, signal.SIGKILL)
        stack.enter_context(blind_node(port, folder, tmp_path / "second"))
        _, errors = driver.communicate(timeout=TIMEOUT_S)
        assert driver.returncode == 0, errors
    trials = read_trials(find_study("study", folder))
    assert [trial.state for trial in trials] == ["COMPLETE"] * 5, [trial.reason for trial in trials]
    assert [trial.score for trial in trials] == pytest.approx([0.1 * n + 0.05 for n in range(5)])
    assert max(trial.attempt for trial in trials) == 2
    assert trials[-1].node == "second"


def _trials_so_far(folder: Path) -> list[TrialRecord]:
    try:
        return read_trials(find_study("study", folder))
    except StudyError:
        return []
