"""One session, from the request to the registered winner: the layers put together, top to bottom."""

import logging
import math
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING

from rich.console import Console

from autoft.confirmation import confirm
from autoft.data.files import replacing
from autoft.data.finding import Finding
from autoft.data.prepare import PreparedData, examine
from autoft.data.seal import move
from autoft.ending import INTERRUPTED_PATIENCE_S, close, conclude, fit_baselines, interruption, report
from autoft.errors import Interrupted, StudyError
from autoft.judge.preflight import preflight, require_no_errors
from autoft.kernel.boundary.decide import plan_cache
from autoft.kernel.boundary.drop import drop_states
from autoft.kernel.boundary.plan import CachePlan
from autoft.kernel.cut import cut_rows
from autoft.kernel.device import Precision
from autoft.kernel.model_summary import ModelSummary, fit_to_models
from autoft.kernel.pretrained import resolve
from autoft.kernel.study_inputs import StudyInputs
from autoft.refit import refit
from autoft.report import cache_lines, findings, learned, words
from autoft.report.live import Progress, view
from autoft.report.outcome import Outcome, print_promotion
from autoft.report.printing import say
from autoft.signals import handle_signals
from autoft.spec.first import require_first_searched
from autoft.spec.study import StudySpec
from autoft.study.budget import limit_reached
from autoft.study.build import BuildWorkbench
from autoft.study.cuda_graphs import with_graphs
from autoft.study.failure_streak import DENIED, FULL_DISK
from autoft.study.identity import identity_of, with_stored_defaults
from autoft.study.layout import DATA, RAY_LOG, SPACE, sealed_folder, study_folder
from autoft.study.learn import lessons_of
from autoft.study.lessons import read_lessons
from autoft.study.lock import hold_lease, hold_session
from autoft.study.pruner import expected_passes, require_decisions
from autoft.study.ray_tune.run import decided_precision, run
from autoft.study.ray_tune.runtime import ray_runtime
from autoft.study.ray_tune.shipping import forget
from autoft.study.records import (
    StudyInfo,
    TrialRecord,
    read_cache_plan,
    read_info,
    read_trial,
    read_trials,
    write_cache_plan,
    write_info,
)
from autoft.study.refitted import forget_refitted
from autoft.study.request_folder import write_request_folder
from autoft.study.requests import forget_stop
from autoft.study.start import plan_start, read_start
from autoft.study.storage import (
    Study,
    clear_storage_errors,
    find_existing_study,
    open_study,
    outlast_storage,
    trials_left,
)
from autoft.study.writable import require_writable, written_by
from autoft.tasks.find import find_task
from autoft.tracking.probe import require_usable
from autoft.tracking.recorder import Recorder
from autoft.winner import Searched

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger(__name__)
PACKAGES = ("autoft", "optuna", "ray", "torch", "transformers", "datasets", "mlflow")
AT_ONCE_S = 1.0
"""How long the recorder may finish its current work if the search has to end at once."""


@handle_signals()
def run_session(
    spec: StudySpec, console: Console, frames: "Mapping[str, pd.DataFrame] | None" = None
) -> Outcome:
    """Runs a study to its budget, publishes it and registers its winner.

    Args:
        spec: the request.
        console: where the view is drawn.
        frames: rows by split, instead of `spec.data`'s file.

    Raises:
        AutoftError: something that the user can fix.
        Interrupted: it was asked to stop, by a signal or from another terminal; finished trials are kept, and
            the rest can be resumed. Before the search begins it is a plain KeyboardInterrupt.
    """
    began_s = time.monotonic()
    folder = study_folder(spec.study)
    with clear_disk_errors():
        for path in written_by(spec):
            require_writable(path)
    if trouble := require_usable(spec.tracking.uri, spec.tracking.experiment or spec.study):
        say(console, f"tracking: WARNING: {trouble} The search continues and publishes later.", "yellow")
    rows = examine(spec.data, find_task(spec.task), frames)
    found = preflight(spec, rows)
    before = find_existing_study(spec, folder)
    if before is None:  # else its rows are what they are
        require_no_errors(found)
    rows = replace(rows, splits={})  # texts as Python has them take memory through the night
    spec, summary = fit_to_models(spec, rows.targets, rows.size("train"), rows.tables["train"])
    found = (*found, *cut_rows(spec, rows, summary))
    findings.tell(found, console)
    if before is not None:
        spec = with_stored_defaults(spec, before)
    else:
        require_decisions(spec)
    require_first_searched(spec)
    lessons = lessons_of(spec, rows, summary)
    start = plan_start(spec, summary[0].blocks, lessons)
    with clear_disk_errors():
        folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        held.enter_context(clear_disk_errors())
        held.enter_context(hold_session(folder))
        held.enter_context(clear_storage_errors(spec.study))
        study = open_study(spec, folder, identity_of(spec, rows.digest), start, lessons)
        if spec.search.storage is not None:
            held.enter_context(hold_lease(study, _interrupt))
        # Written only now: a request that is refused leaves the study's files alone.
        prepared = rows.write(folder / DATA)
        move(folder / DATA, sealed_folder(spec.study))
        rows.seal(sealed_folder(spec.study))
        with replacing(folder / SPACE) as temporary:
            temporary.write_text(spec.text, encoding="utf-8")
        write_request_folder(study, spec.base, folder)
        write_info(study, describe(spec, prepared, summary, found))
        return _search(Searched(study, spec, prepared, folder), console, began_s)


@contextmanager
def clear_disk_errors() -> Iterator[None]:
    """Turns the errors of a full or read-only disk, wherever they occur, into a StudyError."""
    try:
        yield
    except OSError as error:
        fix = "make room" if error.errno in FULL_DISK else "give yourself the right to write there"
        if error.errno not in (*FULL_DISK, *DENIED):
            raise
        where = f" ({error.filename})" if error.filename else ""
        raise StudyError(
            f"{error.strerror}{where}. Nothing is lost; {fix}, then run the same command again to continue"
        ) from error


def _search(searched: Searched, console: Console, began_s: float) -> Outcome:
    """Runs the trials, publishes them and registers the winner."""
    study, spec = searched.study, searched.spec
    before, recorder = len(_ended(study)), searched.recorder()
    if not spec.refit:
        forget_refitted(study)
    error: StudyError | None = None
    stopped, patience_s = False, INTERRUPTED_PATIENCE_S
    try:
        recorder.catch_up(trial.number for trial in read_trials(study))
        try:
            stopped = _run_trials(searched, recorder, console, began_s)
            if not stopped and _time_left_s(spec, began_s) > 0:
                stopped = _train_again(searched, console, began_s)
                recorder.catch_up([])  # the winner may be another
        except StudyError as raised:  # finished trials are published first
            error = raised
        tell = partial(say, console, wrap=True)
        whole = not stopped and error is None
        baselines = fit_baselines(searched, recorder, tell) if whole else None
        ending = conclude(searched, recorder, tell, stopped=stopped, baselines=baselines)
        page = None if stopped else report(searched, recorder, tell)
        interrupted = trials_left(study, spec.budget) > 0 or searched.outstanding is not None
        unrecorded = close(recorder, ending, stopped=stopped, interrupted=interrupted)
        patience_s = 0.0
        if not interrupted:
            drop_states(searched.prepared.folder)
    except KeyboardInterrupt:
        patience_s = AT_ONCE_S
        raise interruption(searched) from None
    finally:
        # If all went well it is already closed.
        recorder.close(patience_s, interrupted=True)
    if error is not None:
        raise error
    forget_stop(study)
    if stopped:
        print_promotion(ending.best, ending.promotion, console)
        raise Interrupted(ending.said)
    return Outcome(
        info=read_info(study),
        trials=read_trials(study),
        budget=spec.budget,
        limit=limit_reached(study, spec.budget),
        ran=len(_ended(study)) - before,
        best=ending.best,
        promotion=ending.promotion,
        unrecorded=unrecorded,
        outstanding=searched.outstanding,
        report=page,
    )


def _train_again(searched: Searched, console: Console, began_s: float) -> bool:
    """Confirms and refits the winner, as far as it is asked for. Returns whether it was stopped.

    A search that its time or its GPU hours have ended gets both, of the trials that are complete.
    """
    spec = searched.spec
    later = " and ".join(what for what, of in (("confirmation", spec.confirm), ("refit", spec.refit)) if of)
    unfinished = trials_left(searched.study, spec.budget) > 0
    if later and unfinished and limit_reached(searched.study, spec.budget) == "time":
        kept, of = words.duration(_time_left_s(spec, began_s)), words.duration(spec.budget.time_s)
        say(console, f"search: no more trials begin, because {kept} of the {of} are kept for {later}", "dim")
    if spec.confirm is not None and confirm(searched, console, began_s):
        return True
    return spec.refit and refit(searched, console, began_s)


def _time_left_s(spec: StudySpec, began_s: float) -> float:
    time_s = spec.budget.time_s
    return math.inf if time_s is None else time_s - (time.monotonic() - began_s)


def _run_trials(searched: Searched, recorder: Recorder, console: Console, began_s: float) -> bool:
    """Runs the trials that are left. Returns whether the search was interrupted or asked to stop."""
    study, spec, prepared, folder = searched.study, searched.spec, searched.prepared, searched.folder
    if trials_left(study, spec.budget) == 0:
        return False
    progress = Progress(
        read_info(study), spec.budget.trials, read_trials(study), lambda number: read_trial(study, number)
    )
    learned.tell(read_lessons(study), spec.search.sampler, read_start(study), console)
    study_inputs = StudyInputs.of(spec, prepared)
    files = [prepared.rows_path, *(Path(ref.location) for ref in spec.models if ref.kind == "folder")]
    with ray_runtime(spec.resources, folder / RAY_LOG) as runtime, view(progress, console) as shown:
        precision = decided_precision(study, spec, runtime)
        plan = _decided_plan(study, spec, study_inputs, precision)
        cache_lines.tell(plan, console)
        study_inputs = replace(study_inputs, cache_plan=plan)
        build = BuildWorkbench(spec.models, study_inputs)

        def run_once() -> bool:
            return run(
                study,
                spec,
                build,
                callbacks=[recorder, shown],
                folder=folder,
                runtime=runtime,
                files=files,
                began_s=began_s,
            )

        stopped = outlast_storage(study, spec, run_once)
        last = spec.confirm is None and not spec.refit
        if not runtime.local and trials_left(study, spec.budget) == 0 and last:
            for pin in runtime.pins():  # the nodes' own files; models stay, because other studies use them
                forget([folder, prepared.folder], [prepared.rows_path], pin)
    return stopped


def _interrupt() -> None:
    """Stops this process like Ctrl-C, because another process has taken the study over."""
    _LOG.warning("another process has taken this study over; this one stops")
    os.kill(os.getpid(), signal.SIGINT)


def _decided_plan(
    study: Study, spec: StudySpec, study_inputs: StudyInputs, precision: Precision
) -> CachePlan:
    """Which hidden states are kept and which steps captured, as the first session has decided."""
    decided = read_cache_plan(study)
    if decided is None:
        models = tuple(resolve(ref) for ref in spec.models)
        study_inputs = replace(study_inputs, models=models)
        decided = plan_cache(spec, study_inputs, precision, expected_passes(spec))
        decided = with_graphs(decided, spec, study_inputs, precision)
        write_cache_plan(study, decided)
    return decided


def describe(
    spec: StudySpec,
    prepared: PreparedData,
    models: Sequence[ModelSummary] = (),
    found: tuple[Finding, ...] = (),
) -> StudyInfo:
    """What a study is about."""
    searched = {parameter.name for parameter in spec.space.parameters}
    values = spec.space.resolve({})
    return StudyInfo(
        name=spec.study,
        task=spec.task,
        models=tuple(model.name for model in spec.models),
        objective=spec.objective,
        direction=spec.metric.direction,
        fixed={name: value for name, value in values.items() if name not in searched},
        data={
            "source": _source(spec),
            "digest": prepared.digest,
            "inputs": list(spec.data.inputs),
            "target": spec.data.target,
            "targets": dict(prepared.targets),
            "rows": dict(prepared.sizes),
        },
        versions={"python": python_version(), **{name: version(name) for name in PACKAGES}},
        text=spec.text,
        architectures={summary.name: summary.build for summary in models},
        findings=found,
    )


def _source(spec: StudySpec) -> str:
    """The data's name for a reader: no folder of this machine."""
    if spec.data.hub:
        return spec.data.hub
    return spec.data.path.name if spec.data.path else "data frames"


def _ended(study: Study) -> list[TrialRecord]:
    return [trial for trial in read_trials(study) if trial.state != "RUNNING"]
