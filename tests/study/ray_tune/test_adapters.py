"""What Ray says of a worker that failed, as the study understands it."""

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from ray.exceptions import ActorDiedError, RayActorError, RayTaskError

from autoft.spec.study import Faults
from autoft.study.identity import identity_of
from autoft.study.ray_tune.adapters import LOST, StudyScheduler, TuneBridge
from autoft.study.ray_tune.messages import ASSIGNMENT_KEY
from autoft.study.records import read_trial
from autoft.study.storage import open_study
from autoft.study.tuner import Tuner

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
    tuner = Tuner(study, spec, precision="fp32", callbacks=[], folder=folder, max_concurrent=1)
    bridge, assignment = TuneBridge(tuner, folder), tuner.next()
    assert assignment is not None
    bridge.lost(assignment, error)
    found = read_trial(study, 0)
    assert (found.state, found.reason, tuner.stopped) == (state, reason, stops)
    assert bridge.error is None


def test_the_trial_that_waits_is_found_among_those_that_are_not_over(folder: Path) -> None:
    def trial(number: int, status: str) -> SimpleNamespace:
        config = {ASSIGNMENT_KEY: SimpleNamespace(number=number)}
        return SimpleNamespace(status=status, config=config)

    live = [trial(7, "PENDING"), trial(2, "RUNNING"), trial(5, "PENDING")]
    scheduler = StudyScheduler(cast(TuneBridge, None))
    assert scheduler.choose_trial_to_run(SimpleNamespace(get_live_trials=lambda: live)) is live[2]
    assert scheduler.choose_trial_to_run(SimpleNamespace(get_live_trials=lambda: live[1:2])) is None
