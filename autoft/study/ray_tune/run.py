"""Runs a study to its budget."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import optuna
from ray import cloudpickle, tune
from ray.exceptions import RayError
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from autoft.signals import gently
from autoft.spec.study import StudySpec
from autoft.study.callback import Callback
from autoft.study.ray_tune.adapters import LOST, StudyScheduler, StudySearcher, TuneBridge
from autoft.study.ray_tune.messages import Shared
from autoft.study.ray_tune.process import environment
from autoft.study.ray_tune.runtime import Runtime
from autoft.study.ray_tune.shipping import ship, write_token
from autoft.study.ray_tune.trainable import ResidentTrainable
from autoft.study.records import Precision, read_precision, write_precision
from autoft.study.storage import TROUBLE, trials_left
from autoft.study.tuner import Tuner
from autoft.study.worker_interface import MakeWorkbench


def run(
    study: optuna.Study,
    spec: StudySpec,
    make_workbench: MakeWorkbench,
    *,
    callbacks: Sequence[Callback],
    folder: Path,
    runtime: Runtime,
    files: Iterable[Path] = (),
    began_s: float | None = None,
) -> bool:
    """Runs trials until the budget is met; does nothing if it is. Call it while holding the session lock.

    Trials that an earlier session left RUNNING are resumed first, under their own numbers. SIGINT, SIGTERM,
    SIGHUP and `requests.request_stop` stop it within seconds. Returns whether it was stopped that way; then
    running trials stay RUNNING in the study, and their resume states are saved.

    Args:
        study: from `open_study`.
        spec: the request.
        make_workbench: called once in each worker process.
        callbacks: called at every event, on this thread.
        folder: the study's folder, absolute.
        runtime: from `ray_runtime`.
        files: the driver's files and folders that `make_workbench` locates; sent to the nodes of a cluster.
        began_s: on the monotonic clock, when the session began, for `budget.time`; None is now.

    Raises:
        StudyError: trial after trial failed for the same reason (GaveUp), or the disk is full.
        KeyboardInterrupt: a second signal. Running trials stay RUNNING in the study.
    """
    if trials_left(study, spec.budget) == 0:
        return False
    tuner = Tuner(
        study,
        spec,
        precision=decided_precision(study, spec, runtime),
        callbacks=callbacks,
        folder=folder,
        max_concurrent=runtime.max_concurrent,
        gpus_per_trial=runtime.gpus_per_trial,
        began_s=began_s,
    )
    bridge = TuneBridge(tuner, folder)
    shared = _shared(make_workbench, folder, runtime, files, spec.faults.trial_timeout_s)
    with gently(tuner.stop) as begin_grace:
        while not _tuned(bridge, shared, runtime, begin_grace):
            tuner.all_lost(LOST)
    tuner.sweep()
    if isinstance(bridge.error, TROUBLE) and tuner.stopped and tuner.stopped_by is None:
        raise KeyboardInterrupt from bridge.error  # a search that was asked to stop does not wait for storage
    if error := bridge.error or tuner.stopped_by:
        raise error
    return tuner.stopped


def _shared(
    make_workbench: MakeWorkbench, folder: Path, runtime: Runtime, files: Iterable[Path], timeout_s: float
) -> Shared:
    """What is sent to every worker once."""
    return Shared(
        environment={name: value for name, value in os.environ.items() if _reaches_workers(name)},
        make_workbench=cloudpickle.dumps(make_workbench),  # type: ignore[no-untyped-call]  # Ray's
        folder=folder,
        token=write_token(folder),
        files={} if runtime.local else ship(files),
        timeout_s=timeout_s,
        nice=runtime.nice,
    )


def _tuned(bridge: TuneBridge, shared: Shared, runtime: Runtime, begin_grace: Callable[[], None]) -> bool:
    """Whether the run ended normally; Ray Tune gives up if a result was lost, with its node, say."""
    try:
        searcher = StudySearcher(bridge, runtime.slots, begin_grace)
        _tune(searcher, StudyScheduler(bridge), shared, runtime)
    except RuntimeError as error:
        if not isinstance(error.__cause__, RayError) or bridge.tuner.idle:
            raise
        return False
    return True


def _tune(searcher: Searcher, scheduler: TrialScheduler, shared: Shared, runtime: Runtime) -> None:
    trainable = tune.with_parameters(ResidentTrainable, shared=shared)
    resources = {"cpu": runtime.cpus_per_trial, "gpu": runtime.gpus_per_trial, **runtime.pin}
    # Ray starts one worker at a time unless told how many may be on their way.
    with environment({"TUNE_MAX_PENDING_TRIALS_PG": str(runtime.max_concurrent)}):
        tune.run(
            trainable,
            name="study",
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=-1,
            resources_per_trial=resources,
            reuse_actors=True,
            max_failures=0,
            raise_on_failed_trial=False,
            storage_path=str(runtime.scratch / "tune"),
            trial_name_creator=_ray_name,
            trial_dirname_creator=_ray_name,
            verbose=0,
        )


def _ray_name(trial: Any) -> str:
    return str(trial.trial_id)


def decided_precision(study: optuna.Study, spec: StudySpec, runtime: Runtime) -> Precision:
    """The precision that the first session decided, so that results do not depend on where later ones run."""
    decided = read_precision(study)
    if decided is None:
        decided = runtime.precision(spec.resources.precision)
        write_precision(study, decided)
    return decided


def _reaches_workers(name: str) -> bool:
    """Whether workers get the variable: the Hugging Face hub's settings and token, not a node's folders."""
    return name.startswith("HF_") and not name.endswith(("_HOME", "_CACHE", "_PATH"))
