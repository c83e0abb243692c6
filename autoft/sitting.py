"""One sitting, from the request to the registered champion: the rooms put together, top to bottom."""

import logging
import math
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING

from rich.console import Console

from autoft.data.files import read_table, replacing
from autoft.data.prepare import PreparedData, examine
from autoft.errors import AutoftError, ModelError, StudyError
from autoft.kernel.boundary.decide import plan_cache
from autoft.kernel.boundary.drop import drop_states
from autoft.kernel.boundary.plan import CachePlan
from autoft.kernel.config import FineTuneConfig
from autoft.kernel.device import Precision
from autoft.kernel.facts import fit_to_models
from autoft.kernel.pretrained import resolve
from autoft.kernel.workbench import Materials, Workbench, rebuild
from autoft.report import cache
from autoft.report.live import Progress, view
from autoft.report.outcome import Outcome
from autoft.spec.metrics import METRICS
from autoft.spec.sqlite import sqlite_file
from autoft.spec.study import StudySpec
from autoft.study.build import BuildWorkbench
from autoft.study.config import fine_tune_config
from autoft.study.failures import FULL_DISK
from autoft.study.lock import hold_lease, hold_sitting
from autoft.study.places import DATA, RAY_LOG, SPACE, study_folder
from autoft.study.ray_tune.run import decided_precision, run
from autoft.study.ray_tune.runtime import ray_runtime
from autoft.study.records import (
    StudyInfo,
    TrialRecord,
    best_trial,
    read_cache_plan,
    read_info,
    read_precision,
    read_trial,
    read_trials,
    write_cache_plan,
    write_info,
)
from autoft.study.requests import forget_requests
from autoft.study.storage import (
    StorageError,
    Study,
    clear_storage_errors,
    identity_of,
    open_study,
    study_id,
    trials_left,
    wait_for_storage,
)
from autoft.tracking.recorder import Recorder
from autoft.tracking.registry import FineTuned, find_champion, register_champion
from autoft.tracking.retrieval import Best

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger(__name__)
PACKAGES = ("autoft", "optuna", "ray", "torch", "transformers", "datasets", "mlflow")
RECORD_PATIENCE_S = 60.0
"""How long the end of a sitting waits for a tracking server that is slow."""
STORAGE_PATIENCE_S = 600.0
"""How long a search waits for a database server that is gone."""
SAME_SCORE = 1e-3
"""What a model that is trained again may differ by; on a CPU it differs by nothing."""
INTERRUPTED_PATIENCE_S = 5.0
"""The same where somebody has pressed Ctrl-C."""


def sit(spec: StudySpec, console: Console, frames: "Mapping[str, pd.DataFrame] | None" = None) -> Outcome:
    """Runs a study to its budget, publishes it and registers its champion.

    Args:
        spec: the request.
        console: where the view is drawn.
        frames: rows by split, instead of `spec.data`'s file.

    Raises:
        AutoftError: something that the user can mend.
        KeyboardInterrupt: it was interrupted or asked to stop; what is finished stands, the rest can go on.
    """
    began_s = time.monotonic()
    folder = study_folder(spec.study)
    rows = examine(spec.data, frames)
    spec, _ = fit_to_models(spec, rows.labels)
    with _clear_disk_errors():
        folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        held.enter_context(_clear_disk_errors())
        held.enter_context(hold_sitting(folder))
        study = open_study(spec, folder, identity_of(spec, rows.digest))
        held.enter_context(clear_storage_errors(study))
        if spec.search.storage is not None:
            held.enter_context(hold_lease(study, _interrupt))
        forget_requests(study)
        # Written only now: a request that is refused leaves the study's files alone.
        prepared = rows.write(folder / DATA)
        with replacing(folder / SPACE) as temporary:
            temporary.write_text(spec.text)
        write_info(study, describe(spec, prepared))
        return _search(study, spec, prepared, folder, console, began_s)


@contextmanager
def _clear_disk_errors() -> Iterator[None]:
    """Turns a full disk, wherever it is noticed, into words."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        where = f" ({error.filename})" if error.filename else ""
        raise StudyError(
            f"{error.strerror}{where}. Nothing is lost; make room, and the same command goes on"
        ) from error


def _search(
    study: Study,
    spec: StudySpec,
    prepared: PreparedData,
    folder: Path,
    console: Console,
    began_s: float,
) -> Outcome:
    before = len(_ended(study))
    recorder = Recorder(
        spec.tracking.uri,
        spec.tracking.experiment or spec.study,
        study_id(study),
        lambda: read_info(study),
        lambda number: read_trial(study, number),
    )
    error: StudyError | None = None
    stopped = False
    try:
        recorder.catch_up(trial.number for trial in read_trials(study))
        try:
            stopped = _run_trials(study, spec, prepared, folder, recorder, console, began_s)
        except StudyError as raised:  # what is finished stands, and is published first
            error = raised
        patience_s = INTERRUPTED_PATIENCE_S if stopped else RECORD_PATIENCE_S
        unrecorded = recorder.flush(patience_s)
        best = _winner(study, spec)
        if best is not None and unrecorded is None:
            best, unrecorded = _register(best, study, spec, prepared, folder, recorder)
        interrupted = trials_left(study, spec.budget) > 0
        # Where something is unrecorded it has waited already.
        unrecorded = recorder.close(0.0 if unrecorded else patience_s, interrupted=interrupted) or unrecorded
        if not interrupted:
            drop_states(prepared.folder)
    finally:
        # Where all went well it is closed already.
        recorder.close(INTERRUPTED_PATIENCE_S, interrupted=True)
    if error is not None:
        raise error
    if stopped:
        raise KeyboardInterrupt
    return Outcome(
        info=read_info(study),
        trials=read_trials(study),
        total=spec.budget.trials,
        ran=len(_ended(study)) - before,
        best=best,
        unrecorded=unrecorded,
    )


def _run_trials(
    study: Study,
    spec: StudySpec,
    prepared: PreparedData,
    folder: Path,
    recorder: Recorder,
    console: Console,
    began_s: float,
) -> bool:
    """Runs what the budget leaves. Returns whether it was interrupted or asked to stop."""
    if trials_left(study, spec.budget) == 0:
        return False
    progress = Progress(
        read_info(study), spec.budget.trials, read_trials(study), lambda number: read_trial(study, number)
    )
    materials = Materials.of(spec, prepared)
    files = [prepared.rows_path, *(Path(ref.location) for ref in spec.models if ref.kind == "folder")]
    with ray_runtime(spec.resources, folder / RAY_LOG) as runtime, view(progress, console) as shown:
        precision = decided_precision(study, spec, runtime)
        plan = _decided_plan(study, spec, materials, precision)
        cache.tell(plan, console)
        materials = replace(materials, cache_plan=plan)
        while True:
            try:
                with clear_storage_errors(study):
                    return run(
                        study,
                        spec,
                        BuildWorkbench(spec.models, materials),
                        watchers=[recorder, shown],
                        folder=folder,
                        runtime=runtime,
                        files=files,
                        began_s=began_s,
                    )
            except StorageError:
                # A server that is restarted takes the search up where a killed one would.
                if not _on_a_server(spec) or not wait_for_storage(study, STORAGE_PATIENCE_S):
                    raise


def _on_a_server(spec: StudySpec) -> bool:
    return spec.search.storage is not None and sqlite_file(spec.search.storage) is None


def _interrupt() -> None:
    """Another process has taken the study over: this one is to stop as if somebody had pressed Ctrl-C."""
    _LOG.warning("another process has taken this study over; this one stops")
    os.kill(os.getpid(), signal.SIGINT)


def _decided_plan(study: Study, spec: StudySpec, materials: Materials, precision: Precision) -> CachePlan:
    """Which hidden states are kept: the first sitting decides."""
    decided = read_cache_plan(study)
    if decided is None:
        models = tuple(resolve(ref) for ref in spec.models)
        decided = plan_cache(spec, replace(materials, models=models), precision)
        write_cache_plan(study, decided)
    return decided


def _winner(study: Study, spec: StudySpec) -> Best | None:
    """The winner as the study knows it, not registered."""
    trial = best_trial(study)
    if trial is None or trial.score is None:
        return None
    return Best(
        study=spec.study,
        params=dict(trial.params),
        metric=spec.objective,
        value=trial.score,
        trial=trial.number,
        run_id="",
        model_uri=None,
    )


def _register(
    best: Best, study: Study, spec: StudySpec, prepared: PreparedData, folder: Path, recorder: Recorder
) -> tuple[Best, str | None]:
    """The winner with its registered model; and what of it the tracking server did not take, in words."""
    experiment = spec.tracking.experiment or spec.study
    place = (spec.tracking.uri, experiment, study_id(study))
    try:
        champion = find_champion(*place, spec.study, best.trial, spec.register)
        if champion is None:
            winner = read_trial(study, best.trial)
            tuned = _fine_tuned(study, spec, prepared, folder, winner)
            champion = register_champion(*place, read_info(study), winner, tuned, spec.register)
    except AutoftError as error:
        return best, f"the champion's model: {error}"
    recorder.registered(champion.model_uri)
    return replace(best, run_id=champion.run_id, model_uri=champion.model_uri), None


def _fine_tuned(
    study: Study, spec: StudySpec, prepared: PreparedData, folder: Path, winner: TrialRecord
) -> FineTuned:
    """The winner's model; where its checkpoint does not give it, it is trained again."""
    try:
        return rebuilt(study, spec, prepared, folder, winner)
    except ModelError:  # the checkpoint is gone, damaged or of another moment
        _make_again(study, spec, prepared, folder, winner)
        return rebuilt(study, spec, prepared, folder, winner)


def rebuilt(
    study: Study, spec: StudySpec, prepared: PreparedData, folder: Path, trial: TrialRecord
) -> FineTuned:
    """A trial's model from base weights and checkpoint, with an example row.

    Raises ModelError where the checkpoint is gone, damaged or of another moment than the trial's best.
    """
    config = _config_of(study, spec, trial)
    ref = spec.model(config.model)
    checkpoint = folder / (trial.checkpoint or "")
    model, tokenizer = rebuild(resolve(ref), config, prepared.labels, checkpoint, spec.task, trial.best_index)
    row = read_table(prepared.rows_path).slice(0, 1)
    return FineTuned(
        model=model,
        tokenizer=tokenizer,
        reference=ref.name,
        max_length=config.max_length,
        example=tuple(row[f"input_{i}"][0].as_py() for i in range(prepared.n_inputs)),
    )


def _config_of(study: Study, spec: StudySpec, trial: TrialRecord) -> FineTuneConfig:
    return fine_tune_config(spec, trial.values, trial.seed or 0, read_precision(study) or "fp32")


def _make_again(
    study: Study, spec: StudySpec, prepared: PreparedData, folder: Path, winner: TrialRecord
) -> None:
    """Trains the winner once more, up to its best measurement: same parameters, same seed.

    Raises:
        StudyError: the new model does not score as the trial did, which can be where a GPU took part.
    """
    models = tuple(resolve(ref) for ref in spec.models)
    plan = read_cache_plan(study) or CachePlan()
    bench = Workbench(replace(Materials.of(spec, prepared), models=models, cache_plan=plan))
    trial = bench.fine_tune(_config_of(study, spec, winner), folder / (winner.checkpoint or ""))
    made = next(each for each in trial if each is not None and each.index == winner.best_index)
    trial.close()
    score = made.metrics[spec.objective]
    if not math.isclose(score, winner.score or math.nan, abs_tol=SAME_SCORE):
        raise StudyError(
            f"the checkpoint of trial {winner.number} is gone, and trained again with the same parameters "
            f"and seed it has {spec.objective} {score:.4f} instead of {winner.score:.4f}, so it is not "
            "registered"
        )


def describe(spec: StudySpec, prepared: PreparedData) -> StudyInfo:
    """What a study is about."""
    searched = {parameter.name for parameter in spec.space.parameters}
    values = spec.space.resolve({})
    return StudyInfo(
        name=spec.study,
        task=spec.task,
        models=tuple(model.name for model in spec.models),
        objective=spec.objective,
        direction=METRICS[spec.objective].direction,
        fixed={name: value for name, value in values.items() if name not in searched},
        data={
            "source": _source(spec),
            "digest": prepared.digest,
            "inputs": list(spec.data.inputs),
            "target": spec.data.target,
            "labels": list(prepared.labels),
            "rows": {split: prepared.size(split) for split in prepared.counts},
        },
        versions={"python": python_version(), **{name: version(name) for name in PACKAGES}},
        text=spec.text,
    )


def _source(spec: StudySpec) -> str:
    """The data's name for a reader: no folder of this machine."""
    if spec.data.hub:
        return spec.data.hub
    return spec.data.path.name if spec.data.path else "data frames"


def _ended(study: Study) -> list[TrialRecord]:
    return [trial for trial in read_trials(study) if trial.state != "RUNNING"]
