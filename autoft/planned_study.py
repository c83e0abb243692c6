"""A study of a plain list of trials beside the search's, in its folder: opened and trained."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
from autoft.study.storage import Study, open_study, outlast_storage
from autoft.winner import Searched

Train = Callable[[Searched, Sequence[Callback], float], bool]
"""Runs the trials that are left of a planned study; returns whether it was stopped. The last argument is
`began_s` as in `run`."""


def open_planned(searched: Searched, request: StudySpec, folder: Path) -> Study:
    """The study that `request` asks for, made or continued; what has not begun is planned anew (`extend`).

    It computes in the precision and with the stored states of the search.
    """
    study = open_study(request, folder, identity_of(request, searched.prepared.digest))
    extend(study, [])
    write_precision(study, read_precision(searched.study) or "fp32")
    write_cache_plan(study, read_cache_plan(searched.study) or CachePlan())
    return study


def extend(study: Study, needed: Sequence[PlannedTrial]) -> None:
    """Those that have begun stay; then come those of the trials `needed` that it lacks."""
    begun = read_plan(study)[: len(study.get_trials(deepcopy=False))]
    write_plan(study, plan(begun, needed))


@contextmanager
def trainer(planned: Searched, is_last: Callable[[], bool]) -> Iterator[Train]:
    """Starts Ray for trainings of the `planned` study, which may be extended between them.

    Args:
        planned: of the resources, rows and models.
        is_last: asked at the end: whether nothing will be trained on these rows any more, so that nodes can
            forget what they have of them.
    """
    spec, prepared = planned.spec, planned.prepared
    files = [prepared.rows_path, *(Path(ref.location) for ref in spec.models if ref.kind == "folder")]
    with ray_runtime(spec.resources, planned.folder / RAY_LOG) as runtime:

        def train(planned: Searched, callbacks: Sequence[Callback], began_s: float) -> bool:
            def run_once() -> bool:
                return run(
                    planned.study,
                    planned.spec,
                    BuildWorkbench(spec.models, planned.inputs),
                    callbacks=callbacks,
                    folder=planned.folder,
                    runtime=runtime,
                    files=files,
                    began_s=began_s,
                )

            return outlast_storage(planned.study, planned.spec, run_once)

        yield train
        if not runtime.local and is_last():
            for pin in runtime.pins():
                forget([planned.folder, prepared.folder], [prepared.rows_path], pin)
