"""A study of a plain list of trials beside the search's, in its folder: opened and trained."""

from collections.abc import Sequence
from pathlib import Path

from autoft.kernel.boundary.plan import CachePlan
from autoft.spec.study import StudySpec
from autoft.study.build import BuildWorkbench
from autoft.study.callback import Callback
from autoft.study.identity import identity_of
from autoft.study.layout import RAY_LOG
from autoft.study.planned import PlannedTrial, plan, read_plan, write_plan
from autoft.study.ray_tune.run import run
from autoft.study.ray_tune.runtime import ray_runtime
from autoft.study.ray_tune.shipping import forget
from autoft.study.records import read_cache_plan, read_precision, write_cache_plan, write_precision
from autoft.study.storage import Study, open_study, outlast_storage, trials_left
from autoft.winner import Searched


def open_planned(
    searched: Searched, request: StudySpec, folder: Path, needed: Sequence[PlannedTrial]
) -> Study:
    """The study that `request` asks for, made or continued; with those of the trials `needed` that it lacks.

    It computes in the precision and with the stored states of the search.
    """
    study = open_study(request, folder, identity_of(request, searched.prepared.digest))
    extend(study, needed)
    write_precision(study, read_precision(searched.study) or "fp32")
    write_cache_plan(study, read_cache_plan(searched.study) or CachePlan())
    return study


def extend(study: Study, needed: Sequence[PlannedTrial]) -> None:
    """Those that have begun stay; then come those of the trials `needed` that it lacks."""
    begun = read_plan(study)[: len(study.get_trials(deepcopy=False))]
    write_plan(study, plan(begun, needed))


def train(planned: Searched, callbacks: Sequence[Callback], began_s: float) -> bool:
    """Runs the trials that are left; returns whether it was stopped. `began_s` as in `run`."""
    study, spec, prepared = planned.study, planned.spec, planned.prepared
    files = [prepared.rows_path, *(Path(ref.location) for ref in spec.models if ref.kind == "folder")]
    with ray_runtime(spec.resources, planned.folder / RAY_LOG) as runtime:

        def run_once() -> bool:
            return run(
                study,
                spec,
                BuildWorkbench(spec.models, planned.inputs),
                callbacks=callbacks,
                folder=planned.folder,
                runtime=runtime,
                files=files,
                began_s=began_s,
            )

        stopped = outlast_storage(study, spec, run_once)
        if not runtime.local and trials_left(study, spec.budget) == 0:
            for pin in runtime.pins():
                forget([planned.folder, prepared.folder], [prepared.rows_path], pin)
    return stopped
