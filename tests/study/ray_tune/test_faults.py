"""Trials whose process crashes, hangs, fills the disk or is stopped, in real worker processes."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ray import PlacementGroupID
from ray.util.placement_group import PlacementGroup, placement_group_table, remove_placement_group

from autoft.errors import StudyError
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.measurement import Measurement
from autoft.kernel.resume import Resume
from autoft.spec.study import Faults
from autoft.study.failure_streak import GaveUp
from autoft.study.identity import identity_of
from autoft.study.layout import CHECKPOINTS, log_name, resume_name
from autoft.study.lock import Owner
from autoft.study.ray_tune.run import run
from autoft.study.ray_tune.runtime import Runtime
from autoft.study.records import TrialRecord, read_trials
from autoft.study.requests import forget_stop, request_stop
from autoft.study.storage import find_study, open_study

from ..scripted import Diary, Die, Once, ScriptedWorkbench, make_spec, sleep, workbench


def search(spec: Any, make: Any, folder: Path, runtime: Runtime, *callbacks: Any) -> list[TrialRecord]:
    study = open_study(spec, folder, identity_of(spec, "digest"))
    run(study, spec, make, callbacks=callbacks, folder=folder, runtime=runtime)
    return read_trials(study)


def test_a_crash_in_the_middle_is_tried_again_in_another_process_from_the_last_measurement(
    folder: Path, one_worker: Runtime
) -> None:
    curves = {0: [0.1, 0.2, Die(), 0.4], 1: [0.5] * 4}
    diary = Diary()
    trials = search(make_spec(trials=2), lambda node: Once(curves), folder, one_worker, diary)
    assert [(trial.state, trial.attempt) for trial in trials] == [("COMPLETE", 2), ("COMPLETE", 1)]
    assert [m.metrics["macro_f1"] for m in trials[0].measurements] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    told = [what for what, number in diary.entries if number == 0]
    heard = [f"measured {index}" for index in (1, 2)]
    assert told == ["started", *heard, "started", "measured 3", "measured 4", "finished"]
    log = (folder / log_name(0)).read_text()
    pids = [line.rpartition(" ")[2] for line in log.splitlines() if line.startswith("trial 0 is number")]
    assert len(set(pids)) == 2
    assert "attempt 2, with 2 measurements" in log
    assert not (folder / resume_name(0, 1)).exists()


def test_what_crashes_every_time_fails_and_says_how_often(folder: Path, one_worker: Runtime) -> None:
    spec = make_spec(trials=2, faults=Faults(retries=1))
    trials = search(spec, workbench({0: [0.1, Die()], 1: [0.5]}), folder, one_worker)
    assert [(trial.state, trial.attempt) for trial in trials] == [("FAIL", 2), ("COMPLETE", 1)]
    assert (trials[0].reason or "").endswith("its log may say more, 2 times")


class Hungry(ScriptedWorkbench):
    """Each row that is computed at once takes 8 MiB, which is more than `group` has for a whole batch."""

    def __init__(self, group: Path) -> None:
        super().__init__({0: [0.1, 0.2], 1: [0.5]})
        self._group = group

    def fine_tune(
        self, config: FineTuneConfig, checkpoint: Path, resume: Resume
    ) -> Iterator[Measurement | None]:
        """The script, with so much memory in hand."""
        (self._group / "cgroup.procs").write_text(str(os.getpid()))
        held = b"x" * ((resume.micro_batch or config.batch_size) * 2**23)
        yield from super().fine_tune(config, checkpoint, resume)
        assert held


def test_a_process_that_the_kernel_ends_twice_for_want_of_memory_is_met_with_half_of_the_rows(
    folder: Path, one_worker: Runtime, limited_group: Callable[[int], Path]
) -> None:
    group = limited_group(256 * 2**20)
    spec = make_spec(trials=2, faults=Faults(retries=2))
    trials = search(spec, lambda node: Hungry(group), folder, one_worker)
    assert [(trial.state, trial.attempt) for trial in trials] == [("COMPLETE", 3), ("COMPLETE", 3)]
    assert "Memory was short: at most 16 rows at a time." in (folder / log_name(0)).read_text()


def test_a_step_that_hangs_is_ended_by_the_watchdog_which_says_where(
    folder: Path, one_worker: Runtime
) -> None:
    hang = {0: [0.1, 0.2], 1: [0.5]}
    spec = make_spec(trials=2, faults=Faults(trial_timeout_s=3.0))
    before = lambda number, index: time.sleep(600 if (number, index) == (0, 2) else 0)  # noqa: E731 - a script
    trials = search(spec, workbench(hang, before=before), folder, one_worker)
    assert [trial.state for trial in trials] == ["FAIL", "COMPLETE"]
    assert trials[0].reason == "hung: no step in 3 s (faults.trial_timeout); its log shows where"
    assert "Timeout (0:00:03)!" in (folder / log_name(0)).read_text()
    assert "scripted.py" in (folder / log_name(0)).read_text()


class Broken:
    """A workbench that cannot be made."""

    def __init__(self) -> None:
        raise RuntimeError("no kernel image is available")


def test_an_exception_at_start_up_stops_the_study_with_its_traceback(
    folder: Path, one_worker: Runtime
) -> None:
    spec = make_spec(trials=20, faults=Faults(stop_after_failures=3))
    with pytest.raises(GaveUp, match="3 trials in a row") as error:
        search(spec, lambda node: Broken(), folder, one_worker)
    assert "Traceback" in str(error.value)
    assert "RuntimeError: no kernel image is available" in str(error.value)
    trials = read_trials(find_study("study", folder))
    assert [trial.state for trial in trials] == ["FAIL"] * 3


def test_a_full_disk_stops_the_search_and_it_goes_on_when_there_is_room(
    folder: Path, one_worker: Runtime
) -> None:
    full = {0: [0.1, 0.2], 1: [0.1, OSError(28, "No space left on device"), 0.3]}
    with pytest.raises(StudyError, match="No space left on device"):
        search(make_spec(trials=2), workbench(full), folder, one_worker)
    states = [trial.state for trial in read_trials(find_study("study", folder))]
    assert states == ["COMPLETE", "RUNNING"]
    trials = search(make_spec(trials=2), workbench({1: [0.1, 0.2, 0.3]}), folder, one_worker)
    assert [(trial.state, trial.attempt) for trial in trials] == [("COMPLETE", 1), ("COMPLETE", 2)]


@pytest.mark.parametrize("how", ["signal", "request"])
def test_a_search_that_is_stopped_keeps_its_places_within_seconds(
    how: str, folder: Path, two_workers: Runtime
) -> None:
    def stop() -> None:
        while not all((folder / resume_name(number, 1)).exists() for number in (0, 1)):
            time.sleep(0.05)
        ask_to_stop(how, folder)
        asked.append(time.monotonic())

    asked: list[float] = []
    spec = make_spec(trials=4)
    study = open_study(spec, folder, identity_of(spec, "digest"))
    threading.Thread(target=stop).start()
    make = workbench(lambda number: [0.1 * k for k in range(1, 31)], before=sleep(0.5))
    assert run(study, spec, make, callbacks=[], folder=folder, runtime=two_workers)
    assert time.monotonic() - asked[0] < 10
    before = read_trials(study)
    assert [trial.state for trial in before] == ["RUNNING", "RUNNING"]
    assert all(0 < len(trial.measurements) < 30 for trial in before)

    forget_stop(study)
    make = workbench(lambda number: [0.1 * k for k in range(1, 31)])
    after = search(spec, make, folder, two_workers)
    assert [(trial.state, trial.attempt) for trial in after] == [("COMPLETE", n) for n in (2, 2, 1, 1)]
    assert [len(trial.measurements) for trial in after] == [30] * 4
    for trial in before:
        assert after[trial.number].measurements[: len(trial.measurements)] == trial.measurements
    assert len(list((folder / CHECKPOINTS).iterdir())) == 1


def ask_to_stop(how: str, folder: Path) -> None:
    """As Ctrl-C does, or as `autoft stop` in another terminal."""
    if how == "signal":
        os.kill(os.getpid(), signal.SIGINT)
    else:
        request_stop(find_study("study", folder), Owner.this_process())


def end_leftovers() -> None:
    """Of a search that did not wait for them; its own Ray would end with it, but the tests share one."""
    for group, state in placement_group_table().items():
        if state["state"] == "CREATED":
            remove_placement_group(PlacementGroup(PlacementGroupID(bytes.fromhex(group))))


@pytest.mark.parametrize("how", ["signal", "request"])
def test_what_does_not_look_up_is_left_as_it_is_at_the_end_of_the_grace(
    how: str, folder: Path, one_worker: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autoft.signals.GRACE_S", 2.0)
    spec = make_spec(trials=2)
    study = open_study(spec, folder, identity_of(spec, "digest"))

    def stop() -> None:
        while not (folder / resume_name(0, 1)).exists():
            time.sleep(0.05)
        time.sleep(0.5)
        asked.append(time.monotonic())
        ask_to_stop(how, folder)

    asked: list[float] = []
    threading.Thread(target=stop).start()
    before = lambda number, index: time.sleep(60 if index == 2 else 0)  # noqa: E731 - a script
    make = workbench({0: [0.1, 0.2], 1: [0.5]}, before=before)
    assert run(study, spec, make, callbacks=[], folder=folder, runtime=one_worker)
    assert time.monotonic() - asked[0] < 15
    assert [(t.state, len(t.measurements)) for t in read_trials(study)] == [("RUNNING", 1)]
    forget_stop(study)
    after = search(spec, workbench({0: [0.1, 0.2], 1: [0.5]}), folder, one_worker)
    assert [(trial.state, trial.attempt) for trial in after] == [("COMPLETE", 2), ("COMPLETE", 1)]
    end_leftovers()
