"""One sitting, from the request to the registered champion: the rooms put together, top to bottom."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING

from rich.console import Console

from autoft.data.files import read_table
from autoft.data.prepare import PreparedData, examine
from autoft.errors import TrackingError
from autoft.kernel.boundary.cache import drop_states
from autoft.kernel.boundary.decide import plan_cache
from autoft.kernel.boundary.plan import CachePlan
from autoft.kernel.device import Precision
from autoft.kernel.facts import fit_to_models
from autoft.kernel.pretrained import resolve
from autoft.kernel.workbench import Materials, rebuild
from autoft.report import cache
from autoft.report.live import Progress, view
from autoft.report.outcome import Outcome
from autoft.spec.metrics import METRICS
from autoft.spec.study import StudySpec
from autoft.study.build import BuildWorkbench
from autoft.study.config import fine_tune_config
from autoft.study.places import RAY_LOG, SPACE, study_folder
from autoft.study.ray_tune.run import decided_precision, run
from autoft.study.ray_tune.runtime import ray_runtime
from autoft.study.records import (
    StudyInfo,
    TrialRecord,
    best_trial,
    read_cache_plan,
    read_info,
    read_trial,
    read_trials,
    write_cache_plan,
    write_info,
)
from autoft.study.sitting import GaveUp
from autoft.study.storage import Study, hold_sitting, identity_of, open_study, study_id, trials_left
from autoft.tracking.recorder import Recorder
from autoft.tracking.registry import FineTuned, find_champion, register_champion
from autoft.tracking.retrieval import Best

if TYPE_CHECKING:
    import pandas as pd

PACKAGES = ("autoft", "optuna", "ray", "torch", "transformers", "datasets", "mlflow")
RECORD_PATIENCE_S = 60.0
"""How long the end of a sitting waits for a tracking server that is slow."""
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
        KeyboardInterrupt: as it came; what is finished stands.
    """
    folder = study_folder(spec.study)
    rows = examine(spec.data, frames)
    spec, _ = fit_to_models(spec, rows.labels)
    folder.mkdir(parents=True, exist_ok=True)
    with hold_sitting(folder):
        study = open_study(spec, folder, identity_of(spec, rows.digest))
        # Written only now: a request that is refused leaves the study's files alone.
        prepared = rows.write(folder / "data")
        (folder / SPACE).write_text(spec.text)
        write_info(study, _describe(spec, prepared))
        return _search(study, spec, prepared, folder, console)


def _search(study: Study, spec: StudySpec, prepared: PreparedData, folder: Path, console: Console) -> Outcome:
    before = len(_ended(study))
    recorder = Recorder(
        spec.tracking.uri,
        spec.tracking.experiment or spec.study,
        study_id(study),
        lambda: read_info(study),
        lambda number: read_trial(study, number),
    )
    try:
        recorder.catch_up(trial.number for trial in read_trials(study))
        gave_up = _run_trials(study, spec, prepared, folder, recorder, console)
        unrecorded = recorder.flush(RECORD_PATIENCE_S)
        best = _winner(study, spec)
        if best is not None and unrecorded is None:
            best, unrecorded = _register(best, study, spec, prepared, folder, recorder)
        patience_s = 0.0 if unrecorded else RECORD_PATIENCE_S  # it has waited already
        interrupted = trials_left(study, spec.budget) > 0
        unrecorded = recorder.close(patience_s, interrupted=interrupted) or unrecorded
        if not interrupted:
            drop_states(prepared.folder)
    finally:
        # Where all went well it is closed already.
        recorder.close(INTERRUPTED_PATIENCE_S, interrupted=True)
    if gave_up is not None:
        raise gave_up
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
) -> GaveUp | None:
    """Runs what the budget leaves; why the search gave up before, if it did: what is finished stands."""
    if trials_left(study, spec.budget) == 0:
        return None
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
        try:
            run(
                study,
                spec,
                BuildWorkbench(spec.models, materials),
                watchers=[recorder, shown],
                folder=folder,
                runtime=runtime,
                files=files,
            )
        except GaveUp as error:
            return error
    return None


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
            tuned = _fine_tuned(spec, prepared, folder, winner)
            champion = register_champion(*place, read_info(study), winner, tuned, spec.register)
    except TrackingError as error:
        return best, f"the champion's model: {error}"
    recorder.registered(champion.model_uri)
    return replace(best, run_id=champion.run_id, model_uri=champion.model_uri), None


def _fine_tuned(spec: StudySpec, prepared: PreparedData, folder: Path, winner: TrialRecord) -> FineTuned:
    """The winner's model from base weights and checkpoint."""
    config = fine_tune_config(spec, winner.values, winner.seed or 0, "fp32")
    ref = spec.model(config.model)
    model, tokenizer = rebuild(
        resolve(ref), config, prepared.labels, folder / (winner.checkpoint or ""), spec.task
    )
    row = read_table(prepared.rows_path).slice(0, 1)
    return FineTuned(
        model=model,
        tokenizer=tokenizer,
        reference=ref.name,
        max_length=config.max_length,
        example=tuple(row[f"input_{i}"][0].as_py() for i in range(prepared.n_inputs)),
    )


def _describe(spec: StudySpec, prepared: PreparedData) -> StudyInfo:
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
