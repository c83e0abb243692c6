"""One process searches a study, and a second one is told which."""

import json
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import optuna
import pytest

from autoft.errors import StudyError
from autoft.study.lock import (
    LEASE_ATTR,
    STALE_AFTER_S,
    Owner,
    find_lessee,
    find_owner,
    hold_lease,
    hold_session,
)

HOLD = """
import sys, time
from pathlib import Path
from autoft.study.lock import hold_session
with hold_session(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def study() -> optuna.Study:
    return optuna.create_study(study_name="study")


def test_a_second_process_is_refused_with_the_first_ones_host_and_pid_until_that_is_dead(
    tmp_path: Path,
) -> None:
    first = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    assert first.stdout.readline() == "held\n"
    who = rf"process {first.pid} on host {re.escape(platform.node())} \(since .*\) is searching this study"
    with pytest.raises(StudyError, match=who), hold_session(tmp_path):
        pass
    owner = find_owner(tmp_path)
    assert owner is not None
    assert owner.pid == first.pid
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert find_owner(tmp_path) is None
    with hold_session(tmp_path):
        assert json.loads((tmp_path / "session.json").read_text())["pid"] == os.getpid()
    assert find_owner(tmp_path) is None


def test_a_lease_keeps_another_host_away_until_it_is_stale(study: optuna.Study) -> None:
    now_s = time.time()
    other = {"host": "elsewhere", "pid": 7, "since": now_s - 100}
    study.set_user_attr(LEASE_ATTR, {"owner": other, "token": "theirs", "renewed": now_s - STALE_AFTER_S + 5})
    with pytest.raises(StudyError, match="process 7 on host elsewhere"), hold_lease(study, lambda: None):
        pass
    study.set_user_attr(LEASE_ATTR, {"owner": other, "token": "theirs", "renewed": now_s - STALE_AFTER_S - 1})
    with hold_lease(study, lambda: None):
        assert study.user_attrs[LEASE_ATTR]["owner"]["pid"] == os.getpid()
    assert study.user_attrs[LEASE_ATTR] == {}


def test_the_lease_of_a_dead_process_of_this_host_is_taken_over_at_once(study: optuna.Study) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    owner = {"host": platform.node(), "pid": dead.pid, "since": time.time()}
    study.set_user_attr(LEASE_ATTR, {"owner": owner, "token": "theirs", "renewed": time.time()})
    with hold_lease(study, lambda: None):
        assert study.user_attrs[LEASE_ATTR]["owner"]["pid"] == os.getpid()


def test_a_container_that_is_started_again_with_its_old_number_takes_its_lease_over(
    study: optuna.Study,
) -> None:
    owner = {"host": platform.node(), "pid": os.getpid(), "since": 0.0}
    study.set_user_attr(LEASE_ATTR, {"owner": owner, "token": "before", "renewed": time.time()})
    assert find_lessee(study) is None
    with hold_lease(study, lambda: None):
        assert study.user_attrs[LEASE_ATTR]["token"] != "before"


def test_who_holds_the_lease_is_found_until_it_is_stale(study: optuna.Study) -> None:
    owner = {"host": platform.node(), "pid": os.getppid(), "since": 0.0}
    lease = {"owner": owner, "token": "theirs", "renewed": time.time()}
    assert find_lessee(study) is None
    study.set_user_attr(LEASE_ATTR, lease)
    assert find_lessee(study) == Owner(**owner)
    study.set_user_attr(LEASE_ATTR, {**lease, "renewed": time.time() - STALE_AFTER_S})
    assert find_lessee(study) is None


def test_whoever_was_away_for_too_long_is_told_and_leaves_the_other_ones_lease_alone(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autoft.study.lock.RENEWED_EVERY_S", 0.05)
    theirs = {"owner": {"host": "elsewhere", "pid": 7, "since": 0.0}, "token": "theirs", "renewed": 0.0}
    told = threading.Event()
    with hold_lease(study, told.set):
        study.set_user_attr(LEASE_ATTR, theirs)
        assert told.wait(10)
    assert study.user_attrs[LEASE_ATTR] == theirs


def test_of_two_claims_in_one_instant_the_one_that_stays_wins(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_claims(seconds: float) -> None:
        owner = {"host": "elsewhere", "pid": 7, "since": 0.0}
        study.set_user_attr(LEASE_ATTR, {"owner": owner, "token": "theirs", "renewed": time.time()})

    monkeypatch.setattr("autoft.study.lock.time.sleep", other_claims)
    with pytest.raises(StudyError, match="host elsewhere"), hold_lease(study, lambda: None):
        pass
