"""Searches through real Ray, whose workers follow scripts: what the study holds must be what was scripted."""

import math
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from ray.exceptions import RayError

from autoft.errors import AutoftError, StudyError
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.resume import Resume
from autoft.spec.study import Faults, SearchMethod, StudySpec
from autoft.study.callback import Callback
from autoft.study.identity import identity_of
from autoft.study.layout import checkpoint_name, log_name
from autoft.study.ray_tune import run as run_module
from autoft.study.ray_tune.run import run
from autoft.study.ray_tune.runtime import Runtime
from autoft.study.records import read_trials
from autoft.study.storage import find_study, open_study
from autoft.study.tuner import Tuner
from autoft.study.worker_interface import MakeWorkbench, Node, Workbench

from ..scripted import SEED, Diary, Die, ScriptedWorkbench, make_spec, workbench

HALVING = SearchMethod(sampler="random", pruner="successive_halving", seed=SEED)


def search(
    spec: StudySpec, make: MakeWorkbench, folder: Path, runtime: Runtime, callbacks: Sequence[Callback] = ()
) -> optuna.Study:
    study = open_study(spec, folder, identity_of(spec, "digest"))
    run(study, spec, make, callbacks=callbacks, folder=folder, runtime=runtime)
    return study


def processes(folder: Path, count: int) -> list[str]:
    """The process that ran each trial, from the trials' logs."""
    return [
        (folder / log_name(number)).read_text().split("process ")[1].split()[0] for number in range(count)
    ]


def test_the_study_holds_exactly_what_was_scripted(
    folder: Path, one_worker: Runtime, capfd: pytest.CaptureFixture[str]
) -> None:
    """Twelve measurements a trial, so the rungs of successive halving (eta 3) from 1 on are 1, 3 and 9.

    Four finish before anybody is stopped; after that one in three goes on from a rung. Rung 1 has seen
    .50 .40 .60 .55 and sees .70 | .58 (of 6, two go on) | .59 (of 7, two) | .80 | .75 (of 9, three).
    """
    rising = [0.50 + k / 1000 for k in range(12)]
    late_fall = [0.60, 0.61, 0.62, 0.63, 0.64, 0.65, 0.66, 0.67, 0.68, 0.69, 0.70, 0.10]
    curves: dict[int, Sequence[Any]] = {
        0: rising,
        1: [0.40] * 12,
        2: late_fall,
        3: [0.55] * 12,
        4: [0.70, math.nan, *[0.7] * 10],
        5: [0.58, *[0.9] * 11],
        6: [0.59, *[0.9] * 11],
        7: [0.80, 0.81, ValueError("the tensor\nis odd"), *[0.9] * 9],
        8: [0.75, Die(), *[0.9] * 10],
    }
    expected: dict[int, tuple[str, list[float]]] = {
        0: ("COMPLETE", rising),
        1: ("COMPLETE", [0.40] * 12),
        2: ("COMPLETE", late_fall),
        3: ("COMPLETE", [0.55] * 12),
        4: ("FAIL", [0.70, math.nan]),
        5: ("PRUNED", [0.58]),
        6: ("PRUNED", [0.59]),
        7: ("FAIL", [0.80, 0.81]),
        8: ("FAIL", [0.75]),
    }
    diary = Diary()
    halving = replace(HALVING, pruner_options={"min_resource": 1})
    spec = make_spec(trials=len(curves), search=halving, faults=Faults(retries=0))
    study = search(spec, workbench(curves), folder, one_worker, [diary])

    for trial in study.get_trials():
        state, values = expected[trial.number]
        assert trial.state.name == state, trial
        steps = {step: pytest.approx(value, nan_ok=True) for step, value in enumerate(values, start=1)}
        assert trial.intermediate_values == steps
    assert [trial.value for trial in study.get_trials()][:4] == [max(rising), 0.40, max(late_fall), 0.55]
    assert study.best_trial.number == 2

    records = read_trials(study)
    assert [len(record.measurements) for record in records] == [12, 12, 12, 12, 2, 1, 1, 2, 1]
    reasons = {record.number: record.reason for record in records if record.reason}
    assert reasons == {
        4: "macro_f1 is nan at step 20",
        7: "ValueError: the tensor",
        8: "the worker process died (out of memory, killed or crashed); its log may say more",
    }
    assert "raise value\nValueError: the tensor\nis odd" in (records[7].traceback or "")
    assert "ValueError: the tensor" in (folder / log_name(7)).read_text()

    assert diary.entries[:3] == [("started", 0), ("measured 1", 0), ("measured 2", 0)]
    assert [number for what, number in diary.entries if what == "finished"] == list(range(9))
    kept = {path.name for path in (folder / "checkpoints").iterdir()}
    assert kept == {Path(checkpoint_name(number, 1)).name for number in (0, 2)}
    assert (folder / checkpoint_name(2, 1)).read_text() == "0.7"

    assert capfd.readouterr() == ("", "")  # nothing of Ray's or the workers' on the screen


def test_a_process_is_kept_until_it_cannot_be_trusted(folder: Path, one_worker: Runtime) -> None:
    curves: Mapping[int, Sequence[Any]] = {
        0: [0.5] * 12,
        1: [0.1] * 12,  # pruned
        2: [math.nan] * 12,
        3: [AutoftError("the loss is not finite at step 3")],  # a failure that says what is wrong
        4: [RuntimeError("CUDA error: device-side assert triggered")],
        5: [0.6] * 12,
    }
    study = search(make_spec(trials=6, search=HALVING), workbench(curves), folder, one_worker)
    first, *others, last = processes(folder, 6)
    assert others == [first] * 4
    assert last != first
    assert read_trials(study)[3].reason == "the loss is not finite at step 3"


def test_trials_run_side_by_side_and_the_search_goes_on_to_the_total(
    folder: Path, two_workers: Runtime, tmp_path: Path
) -> None:
    def meet(number: int, index: int) -> None:
        """The first two trials wait for each other: they end only if they run at the same time."""
        import time

        (tmp_path / f"{number}.here").touch()
        until = time.monotonic() + 60
        while number < 2 and len(list(tmp_path.glob("*.here"))) < 2 and time.monotonic() < until:
            time.sleep(0.02)

    make = workbench(lambda number: [0.1, 0.2], before=meet)
    study = search(make_spec(trials=4), make, folder, two_workers)
    assert len(set(processes(folder, 2))) == 2
    study = search(make_spec(trials=7), make, folder, two_workers)
    assert [record.state for record in read_trials(study)] == ["COMPLETE"] * 7

    nothing = Diary()
    search(make_spec(trials=7), make, folder, two_workers, [nothing])
    assert nothing.entries == []


def test_a_trial_that_a_dead_driver_left_is_run_again(folder: Path, one_worker: Runtime) -> None:
    spec = make_spec(trials=2, search=HALVING)
    study = open_study(spec, folder, identity_of(spec, "digest"))
    dead = Tuner(study, spec, precision="fp32", callbacks=[], folder=folder, max_concurrent=1)
    lost = dead.next()
    assert lost is not None

    diary = Diary()
    search(spec, workbench({0: [0.5, 0.6], 1: [0.7, 0.8]}), folder, one_worker, [diary])
    assert [entry for entry in diary.entries if entry[0] == "started"] == [("started", 0), ("started", 1)]
    records = read_trials(study)
    assert [record.state for record in records] == ["COMPLETE", "COMPLETE"]
    assert records[0].params["learning_rate"] == lost.config.learning_rate
    assert records[0].seed == lost.config.seed
    assert "The trial was interrupted: attempt 2, with 0 measurements." in (folder / log_name(0)).read_text()


def test_a_result_that_ray_cannot_give_is_made_again(
    folder: Path, one_worker: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    def breaks_down_once(searcher: Any, *others: Any) -> None:
        if begun:
            return tune(searcher, *others)
        begun.append(searcher.suggest("ray's"))
        raise RuntimeError("Caught unexpected exception") from RayError("lost with its node")

    tune = run_module._tune
    monkeypatch.setattr(run_module, "_tune", breaks_down_once)
    search(make_spec(trials=2), workbench({0: [0.5], 1: [0.7]}), folder, one_worker)
    records = read_trials(find_study("study", folder))
    assert [(record.state, record.attempt) for record in records] == [("COMPLETE", 2), ("COMPLETE", 1)]


def test_a_workbench_that_cannot_be_made_stops_the_search_with_its_reason(
    folder: Path, one_worker: Runtime
) -> None:
    def broken(node: Node) -> Workbench:
        raise AutoftError("model 'tiny' is not on this machine; fetch it with `hf download tiny`")

    with pytest.raises(StudyError, match=r"5 trials in a row .* fetch it with `hf download tiny`"):
        search(make_spec(trials=50), broken, folder, one_worker)


def test_an_error_of_our_own_is_raised_as_it_is(folder: Path, one_worker: Runtime) -> None:
    class Broken(Diary):
        def measured(self, number: int, measurement: object) -> None:
            raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        search(make_spec(), workbench(lambda number: [0.1]), folder, one_worker, [Broken()])


def test_who_is_to_stop_does_not_wait_for_a_storage_that_is_gone(folder: Path, one_worker: Runtime) -> None:
    class Gone(Diary):
        def measured(self, number: int, measurement: object) -> None:
            signal.raise_signal(signal.SIGINT)
            raise StorageInternalError("the server is gone")

    with pytest.raises(KeyboardInterrupt):
        search(make_spec(), workbench(lambda number: [0.1, 0.2]), folder, one_worker, [Gone()])


class Witness(ScriptedWorkbench):
    """Prints what its process is given."""

    def fine_tune(self, config: FineTuneConfig, checkpoint: Path, resume: Resume) -> Any:
        print("threads", os.environ["OMP_NUM_THREADS"])
        print("nice", os.nice(0))
        print("token arrived", os.environ.get("HF_TOKEN") == "hf_" + "a-secret"[::-1], flush=True)
        os.system("echo said by a child")
        os.write(2, b"said by a C library\n")
        yield from super().fine_tune(config, checkpoint, resume)


def test_workers_get_threads_priority_and_the_hub_token_which_no_log_holds(
    folder: Path, one_worker: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "hf_" + "a-secret"[::-1]
    monkeypatch.setenv("HF_TOKEN", secret)
    search(make_spec(trials=1), lambda node: Witness({0: [0.5]}), folder, one_worker)
    log = (folder / log_name(0)).read_text()
    nice = max(5, os.nice(0))  # as nice as these tests, if they are nicer
    said = ("threads 1", f"nice {nice}\n", "token arrived True", "said by a child", "said by a C library")
    for line in said:
        assert line in log
    written = [path for top in (folder, one_worker.scratch) for path in top.rglob("*") if path.is_file()]
    assert any("worker" in path.name for path in written)  # Ray's own logs are among them
    assert [path for path in written if secret.encode() in path.read_bytes()] == []


def test_the_precision_of_the_first_session_stays(folder: Path, one_worker: Runtime) -> None:
    spec = make_spec(trials=1, resources=replace(make_spec().resources, precision="bf16"))
    study = search(spec, workbench(lambda number: [0.5]), folder, one_worker)
    assert study.user_attrs["precision"] == "bf16"
    again = replace(spec, resources=replace(spec.resources, precision="fp32"))
    assert (
        search(again, workbench(lambda number: [0.5]), folder, one_worker).user_attrs["precision"] == "bf16"
    )
