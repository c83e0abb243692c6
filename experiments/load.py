"""Many trials on many workers: does the driver's memory grow, does a report get lost?

    python experiments/load.py --trials 2000 --workers 20

A Ray node that claims a CPU for each worker, however few cores there are; trials of four instant
measurements, the sampler `random`, no pruner, the MLflow recorder on. Exit status 1 where a report is missing
or the driver's memory (RssAnon) grew by more than 200 MiB between the hundredth trial and the last.
"""

import argparse
import os
import secrets
import sys
import tempfile
import time
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

from overhead import REPORTS, instant_workbench, make_spec, open_overhead_study, open_recorder

from autoft.kernel.measurement import Measurement
from autoft.spec.study import SearchMethod
from autoft.study.ray_tune.run import run
from autoft.study.ray_tune.runtime import ray_runtime
from autoft.study.records import read_trials

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.cluster import free_port, head_node

WARM = 100
MOST_MIB = 200


class Scale:
    """A watcher that weighs this process at each trial's end."""

    def __init__(self) -> None:
        self.mib: list[float] = []

    def started(self, number: int) -> None:
        """Nothing to weigh."""

    def measured(self, number: int, measurement: Measurement) -> None:
        """Nothing to weigh."""

    def finished(self, number: int) -> None:
        """Reads what the system says."""
        status = Path("/proc/self/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("RssAnon:"))
        self.mib.append(int(line.split()[1]) / 1024)


def main() -> None:
    """Prints seconds, memory and what is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=20)
    options = parser.parse_args()
    port, scale = free_port(), Scale()
    with tempfile.TemporaryDirectory() as name, chdir(name):
        folder = Path(name)
        (folder / "token").write_text(secrets.token_hex(32))
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(folder / "token")}
        with head_node(port, options.workers, folder / "ray.log"):
            spec = make_spec(folder, options.trials, "random")
            resources = replace(spec.resources, address=f"127.0.0.1:{port}", max_concurrent=options.workers)
            method = SearchMethod("random", {}, "none", {}, evaluations_per_epoch=1)
            spec = replace(spec, resources=resources, search=method)
            study = open_overhead_study(spec, folder / "study")
            recorder = open_recorder(study, folder)
            began = time.perf_counter()
            with ray_runtime(resources, folder / "study/logs/ray.log") as runtime:
                watchers = [recorder, scale]
                run(
                    study,
                    spec,
                    instant_workbench,
                    callbacks=watchers,
                    folder=folder / "study",
                    runtime=runtime,
                )
            seconds = time.perf_counter() - began
            unrecorded = recorder.close(600)
        trials = read_trials(study)
    missing = [t.number for t in trials if t.state != "COMPLETE" or len(t.measurements) != REPORTS]
    missing += sorted(set(range(options.trials)) - {t.number for t in trials})
    grown = scale.mib[-1] - scale.mib[WARM - 1]
    print(f"{len(trials)} trials on {options.workers} workers in {seconds:.0f} s")
    print(f"missing something: {len(missing)}, the first of them {missing[:10]}")
    print(f"driver: {scale.mib[WARM - 1]:.0f} MiB after {WARM} trials, {scale.mib[-1]:.0f} MiB at the end")
    print(f"recorder: {unrecorded or 'everything is in MLflow'}")
    sys.exit(bool(missing or unrecorded or grown > MOST_MIB or len(trials) != options.trials))


if __name__ == "__main__":
    main()
