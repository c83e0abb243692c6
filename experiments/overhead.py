"""What orchestration costs: 200 trials of 4 instant reports on 2 workers, in seconds a trial.

Wanted: at most 0.12 s with the MLflow recorder on. Starting and stopping Ray is not a trial's cost and is
printed apart. Run it from the repository: `python experiments/overhead.py [--trials N] [--no-recorder]`.
"""

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import chdir
from pathlib import Path

import optuna
from ray import cloudpickle

from autoft.kernel.config import FineTuneConfig
from autoft.kernel.measurement import Measurement
from autoft.kernel.resume import Resume
from autoft.spec.read import read_spec
from autoft.spec.study import StudySpec
from autoft.study.callback import Callback
from autoft.study.identity import identity_of
from autoft.study.ray_tune.run import run
from autoft.study.ray_tune.runtime import ray_runtime
from autoft.study.records import StudyInfo, read_info, read_trial, read_trials, write_info
from autoft.study.storage import open_study, study_id
from autoft.study.worker_interface import MakeWorkbench, Node, Workbench
from autoft.tracking.recorder import Recorder

if __name__ != "__main__":  # the experiment that uses it runs from its folder, and Ray's workers do not
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # type: ignore[no-untyped-call]  # Ray's

WANTED_S = 0.12
REPORTS = 4


class InstantWorkbench:
    """Measures a smooth function of the parameters, in no time; its checkpoints are empty files."""

    def fine_tune(self, config: FineTuneConfig, checkpoint: Path, resume: Resume) -> Iterator[Measurement]:
        """Four reports that rise to the height."""
        height = self.height(config)
        for index in range(1, REPORTS + 1):
            metrics = {config.objective: height * index / REPORTS, "train_loss": 1 / index}
            checkpoint.touch()
            share, last = index / REPORTS, index == REPORTS
            yield Measurement(index, share, index, float(index), metrics, elapsed_s=0.0, last=last)

    def height(self, config: FineTuneConfig) -> float:
        """Best at a learning rate of 1e-4 without dropout."""
        return math.exp(-((math.log10(config.learning_rate) + 4) ** 2)) * (1 - config.dropout / 2)


def instant_workbench(node: Node) -> Workbench:
    """Nothing to prepare."""
    return InstantWorkbench()


def open_overhead_study(spec: StudySpec, folder: Path) -> optuna.Study:
    """The study, with the description that the recorder needs."""
    study = open_study(spec, folder, identity_of(spec, "no data"))
    info = StudyInfo(
        name=spec.study,
        task=spec.task,
        models=tuple(model.name for model in spec.models),
        objective=spec.objective,
        direction="maximize",
        fixed=spec.space.resolve({}),
        data={},
        versions={},
        text=spec.text,
    )
    write_info(study, info)
    return study


def open_recorder(study: optuna.Study, folder: Path) -> Recorder:
    """The recorder as a search has it, on MLflow's default store: SQLite."""
    return Recorder(
        f"sqlite:///{folder}/mlflow.db",
        "overhead",
        study_id(study),
        lambda: read_info(study),
        lambda number: read_trial(study, number),
    )


def measure(
    study: optuna.Study,
    spec: StudySpec,
    folder: Path,
    watchers: Sequence[Callback],
    make_workbench: MakeWorkbench = instant_workbench,
) -> dict[str, float]:
    """Runs the search in `folder`; seconds for starting Ray, for all trials, and for stopping Ray."""
    began = time.perf_counter()
    with ray_runtime(spec.resources, folder / "logs/ray.log") as runtime:
        started = time.perf_counter()
        run(study, spec, make_workbench, callbacks=watchers, folder=folder, runtime=runtime)
        ended = time.perf_counter()
    states = [trial.state for trial in read_trials(study)]
    print({state: states.count(state) for state in sorted(set(states))})
    return {"start": started - began, "trials": ended - started, "stop": time.perf_counter() - ended}


def make_spec(folder: Path, trials: int, sampler: str = "tpe") -> StudySpec:
    """The short form of a request: four searched dimensions, successive halving."""
    (folder / "model").mkdir()
    (folder / "rows.csv").write_text("text,label\na,b\n")
    document = {
        "study": "overhead",
        "task": "text-classification",
        "model": str(folder / "model"),
        "data": {"path": str(folder / "rows.csv"), "inputs": "text", "target": "label"},
        "objective": "macro_f1",
        "search": {"evaluations_per_epoch": 1, "sampler": sampler},
        "space": {"epochs": REPORTS},
        "budget": {"trials": trials},
        "resources": {"max_concurrent": 2},
    }
    return read_spec(document)


def main() -> None:
    """Prints seconds a trial."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--no-recorder", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, chdir(name):
        folder = Path(name)
        spec = make_spec(folder, options.trials)
        study = open_overhead_study(spec, folder / "study")
        recorders = [] if options.no_recorder else [open_recorder(study, folder)]
        seconds = measure(study, spec, folder / "study", recorders)
        closing = time.perf_counter()
        warnings = [recorder.close() for recorder in recorders]
        seconds["recorder"] = time.perf_counter() - closing
    each = seconds["trials"] / options.trials
    print(f"{each:.3f} s a trial (wanted: at most {WANTED_S})", *filter(None, warnings))
    print(
        f"start of Ray {seconds['start']:.1f} s, its stop {seconds['stop']:.1f} s, "
        f"what the recorder still wrote {seconds['recorder']:.1f} s"
    )


if __name__ == "__main__":
    main()
