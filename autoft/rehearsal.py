"""`autoft check --rehearse`: a few steps of the costliest trials before the night, on this hardware.

Everything is real: rows, model, Ray, worker processes, devices, the disk of the working directory and the
tracking store. Only the study is another one, in a temporary folder.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory

from rich.console import Console

from autoft.data.longest_rows import longest
from autoft.data.prepare import PreparedData, examine
from autoft.errors import AutoftError, ResourceError, StudyError
from autoft.kernel.boundary.decide import plan_cache
from autoft.kernel.boundary.plan import CachePlan
from autoft.kernel.device import Precision
from autoft.kernel.model_summary import fit_to_models
from autoft.kernel.pretrained import resolve
from autoft.kernel.steps import plan as plan_steps
from autoft.kernel.study_inputs import StudyInputs
from autoft.report.rehearsed import DiskNeed, Page, Tried
from autoft.session import describe
from autoft.signals import handle_signals
from autoft.spec.corners import corners, costly
from autoft.spec.first import require_first_searched
from autoft.spec.study import StudySpec
from autoft.study.build import BuildWorkbench
from autoft.study.cuda_graphs import with_graphs
from autoft.study.identity import identity_of, with_stored_defaults
from autoft.study.layout import study_folder
from autoft.study.planned import write_plan
from autoft.study.pruner import expected_passes, require_decisions
from autoft.study.ray_tune.run import run
from autoft.study.ray_tune.runtime import NodeType, Runtime, ray_runtime
from autoft.study.ray_tune.shipping import forget
from autoft.study.records import TrialRecord, read_cache_plan, read_info, read_trials, write_info
from autoft.study.rehearsal_workbench import (
    CHECKPOINT_BYTES,
    GPU_BYTES,
    HOST_BYTES,
    RESUME_BYTES,
    STEPS,
    BuildRehearsalWorkbench,
)
from autoft.study.rehearsed import rehearsed
from autoft.study.storage import Study, clear_storage_errors, find_existing_study, open_study
from autoft.study.trial_config import fine_tune_config
from autoft.tasks.find import find_task
from autoft.tracking.rehearsed import try_model
from autoft.winner import Searched

EVALUATED_ROWS = 32
"""Validation rows of the rehearsal: enough to measure the speed of an evaluation."""


@handle_signals()
def rehearse(spec: StudySpec, console: Console) -> bool:
    """Tries the costliest and the cheapest trials, a checkpoint and an MLflow model; prints what they take.

    Call it after `check` has found no problem. Leaves nothing behind in the working directory, and in MLflow
    only what the store cannot delete.

    Returns:
        Whether there was no problem; problems are printed.

    Raises:
        KeyboardInterrupt: it was interrupted.
    """
    page = Page(console)
    try:
        with _scratch() as scratch:
            _Rehearsal(spec, scratch, page).run()
    except AutoftError as error:
        page.problem("rehearsal", str(error))
    page.end()
    return not page.problems


@contextmanager
def _scratch() -> Iterator[Path]:
    """A temporary folder on the disk that the search would write to."""
    try:
        folder = TemporaryDirectory(
            prefix=".autoft-rehearsal-",
            dir=Path.cwd(),
            ignore_cleanup_errors=True,  # an interrupted worker may still be writing
        )
    except OSError as error:
        raise StudyError(f"{Path.cwd()}: nothing can be written there: {error.strerror}") from None
    with folder:
        yield Path(folder.name)


@dataclass(frozen=True)
class _Stage:
    """What was tried on one type of node."""

    node_type: NodeType
    spec: StudySpec
    """The request of the rehearsal's own study."""
    folder: Path
    study: Study
    trials: tuple[TrialRecord, ...]
    """The complete ones."""
    tried: tuple[Tried, ...]
    """What they took, in the same order."""


class _Rehearsal:
    def __init__(self, spec: StudySpec, scratch: Path, page: Page) -> None:
        self.scratch, self.page = scratch, page
        self.free_bytes = disk_usage(Path.cwd()).free
        self.rows = examine(spec.data, find_task(spec.task))
        train = self.rows.tables["train"]
        spec, _ = fit_to_models(spec, self.rows.targets, len(train), train)
        self.existing_study = find_existing_study(spec, study_folder(spec.study))
        self.spec = with_stored_defaults(spec, self.existing_study) if self.existing_study else spec
        if self.existing_study is None:
            require_decisions(self.spec)
        require_first_searched(self.spec)
        self.corners = corners(self.spec.space)
        batch_size = max(int(corner["batch_size"]) for corner in self.corners)
        self.few = longest(self.rows, STEPS * batch_size, EVALUATED_ROWS)

    def run(self) -> None:
        """Runs the whole rehearsal, and prints results as they come."""
        with ray_runtime(self.spec.resources, self.scratch / "ray.log") as runtime:
            node_types = runtime.node_types()
            if not node_types:
                raise ResourceError("resources: no node that a trial fits on is there any more")
            self.page.begins(node_types, len(self.corners), STEPS)
            precision = runtime.precision(self.spec.resources.precision)
            plan = self._plan(precision)
            prepared = self.few.write(self.scratch / "few-rows")
            stages = [
                self._on(node_type, runtime, precision, plan, prepared, self.scratch / f"kind-{number}")
                for number, node_type in enumerate(node_types)
            ]
        stages = [stage for stage in stages if stage.tried]
        if not stages:
            return
        for stage in stages:
            self.page.tried(stage.tried, min(stage.node_type.slots, runtime.most or stage.node_type.slots))
        model_bytes = self._try_model(stages, prepared)
        tried = [each for stage in stages for each in stage.tried]
        slots = _slots(stages, runtime)
        need = DiskNeed.of(tried, self.spec.checkpoints.keep, round(slots), plan.bytes, model_bytes)
        self.page.disk(need, self.free_bytes, self.spec.resources.disk, study_folder(self.spec.study))

    def _plan(self, precision: Precision) -> CachePlan:
        """The hidden states that the study keeps, or would keep, for its real rows."""
        decided = None if self.existing_study is None else read_cache_plan(self.existing_study)
        if decided is not None:
            return decided
        study_inputs = StudyInputs.of(self.spec, self.rows.write(self.scratch / "all-rows"))
        models = tuple(resolve(ref) for ref in self.spec.models)
        study_inputs = replace(study_inputs, models=models)
        plan = plan_cache(self.spec, study_inputs, precision, expected_passes(self.spec), Path.cwd())
        return with_graphs(plan, self.spec, study_inputs, precision)

    def _on(
        self,
        node_type: NodeType,
        runtime: Runtime,
        precision: Precision,
        plan: CachePlan,
        prepared: PreparedData,
        folder: Path,
    ) -> _Stage:
        """Runs the corners on the node that represents a type, as many at a time as a search would."""
        pinned = runtime.pinned_to(node_type)
        # Free slots are filled with the costliest corner, so that all slots are in use at the same time.
        more = max(0, pinned.max_concurrent - len(self.corners))
        entries = [*self.corners, *islice(cycle(self.corners[:1]), more)]
        spec, trials = rehearsed(self.spec, entries)
        study = open_study(spec, folder, identity_of(spec, self.rows.digest))
        write_plan(study, trials)
        write_info(study, describe(spec, prepared))
        # Few rows hold few tokens: here all embeddings are trained, which takes as much as a search ever can.
        study_inputs = replace(StudyInputs.of(spec, prepared), cache_plan=replace(plan, tables={}))
        rows, models = prepared.rows_path, [Path(r.location) for r in spec.models if r.kind == "folder"]
        try:
            with clear_storage_errors(spec.study):
                stopped = run(
                    study,
                    spec,
                    BuildRehearsalWorkbench(BuildWorkbench(spec.models, study_inputs)),
                    callbacks=[],
                    folder=folder,
                    runtime=pinned,
                    files=[rows, *models],
                )
        finally:
            if not pinned.local:  # copies of models stay: the search will ask for the same
                forget([folder, prepared.folder], [rows], pinned.pin)
        if stopped:
            raise KeyboardInterrupt
        ended = read_trials(study)
        self.page.failures([trial for trial in ended if trial.state != "COMPLETE"])
        done = tuple(trial for trial in ended if trial.state == "COMPLETE")
        tried = tuple(self._tried(trial, precision) for trial in done)
        return _Stage(node_type, spec, folder, study, done, tried)

    def _tried(self, trial: TrialRecord, precision: Precision) -> Tried:
        warm, last = trial.measurements[1:], trial.measurements[-1]
        step_s = min(each.training_s for each in warm)
        evaluation_s = min(each.evaluation_s for each in warm) / len(self.few.tables["validation"])
        values = costly(trial.values)
        epochs = int(self.spec.space.ends("epochs")[1])
        whole = {**self.spec.space.resolve({}), **values, "epochs": epochs}
        steps = plan_steps(self.rows.size("train"), fine_tune_config(self.spec, whole, 0, precision))
        evaluated = len(steps.measured_at) * self.rows.size("validation")
        return Tried(
            values=values,
            node=trial.node or "?",
            step_s=step_s,
            trial_s=steps.steps * step_s + evaluated * evaluation_s,
            host_bytes=int(last.metrics[HOST_BYTES]),
            gpu_bytes=int(last.metrics[GPU_BYTES]),
            checkpoint_bytes=int(last.metrics[CHECKPOINT_BYTES]),
            resume_bytes=int(last.metrics[RESUME_BYTES]),
            micro_batch=trial.micro_batch,
        )

    def _try_model(self, stages: Sequence[_Stage], prepared: PreparedData) -> int:
        """Writes the largest checkpoint to MLflow as a model and reads it back; returns its size in bytes."""
        sizes = {
            (each.checkpoint_bytes, -number, -index): (stage, stage.trials[index])
            for number, stage in enumerate(stages)
            for index, each in enumerate(stage.tried)
        }
        stage, trial = sizes[max(sizes)]
        tuned = Searched(stage.study, stage.spec, prepared, stage.folder).rebuilt(trial)
        size = try_model(self.spec.tracking.uri, read_info(stage.study), trial, tuned)
        self.page.model(size)
        return size


def _slots(stages: Sequence[_Stage], runtime: Runtime) -> float:
    """The number of trials that a search runs at the same time."""
    fitting = sum(stage.node_type.total for stage in stages)
    return min(fitting, runtime.most or fitting)
