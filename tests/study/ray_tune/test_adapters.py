"""What Ray says of a worker that failed, as the study understands it."""

import errno
from pathlib import Path

import pytest
from ray.exceptions import ActorDiedError, RayActorError, RayTaskError

from autoft.spec.study import Faults
from autoft.study.ray_tune.adapters import LOST, Desk
from autoft.study.ray_tune.memory_kills import MemoryKills
from autoft.study.records import read_trial
from autoft.study.sitting import Sitting
from autoft.study.storage import identity_of, open_study

from ..scripted import make_spec

FULL = OSError(errno.ENOSPC, "No space left on device")
ABSENT = ModuleNotFoundError("No module named 'autoft'")


@pytest.mark.parametrize(
    ("error", "state", "reason", "stops"),
    [
        (None, "FAIL", LOST, False),
        (
            RayActorError(error_msg="The actor died because its node has died. Node Id: 1"),
            "RUNNING",
            None,
            False,
        ),
        (
            RayTaskError("reset", "the traceback", ValueError("broken\nmore")),
            "FAIL",
            "ValueError: broken",
            False,
        ),
        (RayTaskError("reset", "the traceback", FULL), "RUNNING", None, True),
        (
            ActorDiedError(RayTaskError("__init__", f"in setup\n{ABSENT!r}", ABSENT)),
            "FAIL",
            f"the worker cannot start: {ABSENT!r}",
            False,
        ),
    ],
    ids=["process", "node", "between-trials", "full-disk", "start"],
)
def test_a_worker_that_failed_is_told_by_its_reason(
    error: BaseException | None, state: str, reason: str | None, stops: bool, folder: Path
) -> None:
    spec = make_spec(faults=Faults(retries=0))
    study = open_study(spec, folder, identity_of(spec, "digest"))
    sitting = Sitting(study, spec, precision="fp32", watchers=[], folder=folder, max_concurrent=1)
    desk, assignment = Desk(sitting, folder), sitting.next()
    assert assignment is not None
    desk.lost(assignment, error)
    found = read_trial(study, 0)
    assert (found.state, found.reason, sitting.stopped) == (state, reason, stops)
    assert desk.error is None


def test_a_worker_that_the_kernel_ended_for_want_of_memory_is_no_crash(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = MemoryKills()
    monkeypatch.setattr(kills, "tell", iter([True, False]).__next__)
    spec = make_spec(faults=Faults(retries=0))
    study = open_study(spec, folder, identity_of(spec, "digest"))
    sitting = Sitting(study, spec, precision="fp32", watchers=[], folder=folder, max_concurrent=1)
    desk, assignment = Desk(sitting, folder, kills), sitting.next()
    assert assignment is not None
    desk.lost(assignment, ActorDiedError())
    again = sitting.next()
    assert again is not None
    assert (again.number, again.attempt, again.micro_batch) == (0, 2, 8)
    desk.lost(again, ActorDiedError())
    assert read_trial(study, 0).state == "FAIL"
