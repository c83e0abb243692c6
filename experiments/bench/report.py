"""The figures of a benchmark, as JSON and as a table."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import floor
from bench.floor import Rates
from bench.gate import METRICS, Decision, rank_correlation
from bench.measure import Run
from bench.sides import PEERS

MIB = 2**20
ENOUGH_TRIALS = 100
"""For the cost of orchestration: with fewer, what was running at both ends of the span blurs it."""


@dataclass(frozen=True)
class Pair:
    """A peer's run and autoft's of the same round."""

    peer: Run
    autoft: Run


@dataclass(frozen=True)
class Floor:
    """A floor of the workload (`bench.floor`)."""

    operations: float
    moved_bytes: float


def figures(
    own: Sequence[Run],
    peers: dict[str, list[Pair]],
    floors: dict[str, Floor],
    rates: Sequence[Rates],
    workers: int,
) -> dict[str, Any]:
    """The figures of one workload: an entry a peer, then `autoft` and `floor`.

    Args:
        own: autoft's runs.
        peers: of each peer, its runs, each with autoft's of the same round.
        floors: `plain` and `least`.
        rates: measured before each round.
        workers: trials at a time.
    """
    wall_s = statistics.median(run.wall_s for run in own)
    result: dict[str, Any] = {peer: _against(pairs) for peer, pairs in peers.items()}
    result["autoft"] = {
        "wall_s": wall_s,
        "trials_an_hour": statistics.median(run.trials_an_hour for run in own),
        "gpu_busy": _busy(own),
        "orchestration_s_per_trial": orchestration_s(own, workers),
    }
    result["rates"] = [asdict(each) for each in rates]
    result["floor"] = {
        name: asdict(each)
        | {
            "seconds": (least_s := floor.seconds(each.operations, each.moved_bytes, rates)),
            "share": least_s / wall_s,
        }
        for name, each in floors.items()
    }
    return result


def _busy(runs: Sequence[Run]) -> float | None:
    shares = [run.gpu_busy for run in runs if run.gpu_busy is not None]
    return statistics.median(shares) if shares else None


def of_gate(verdicts: dict[str, Decision]) -> dict[str, Any]:
    """The quality gate's figures by metric, and whether it passed."""
    return {
        "passed": all(verdict.passed for verdict in verdicts.values()),
        **{metric: asdict(verdict) for metric, verdict in verdicts.items()},
    }


def _against(pairs: Sequence[Pair]) -> dict[str, Any]:
    peer, autoft = [pair.peer for pair in pairs], [pair.autoft for pair in pairs]
    return {
        "ratio": statistics.median(pair.peer.wall_s / pair.autoft.wall_s for pair in pairs),
        "pairs": [[pair.peer.wall_s, pair.autoft.wall_s] for pair in pairs],
        "worker_bytes": {"peer": _most(peer, "worker_bytes"), "autoft": _most(autoft, "worker_bytes")},
        "disk_bytes": {"peer": _most(peer, "disk_bytes"), "autoft": _most(autoft, "disk_bytes")},
        "trials_an_hour": statistics.median(run.trials_an_hour for run in peer),
        "gpu_busy": _busy(peer),
        "spearman": rank_correlation(_macro_f1(peer[0]), _macro_f1(autoft[0])),
        "median_macro_f1": {
            "peer": statistics.median(_macro_f1(peer[0])),
            "autoft": statistics.median(_macro_f1(autoft[0])),
        },
        "trials": {"peer": peer[0].trials, "autoft": autoft[0].trials},
    }


def _most(runs: Sequence[Run], name: str) -> int:
    return max(getattr(run, name) for run in runs)


def _macro_f1(run: Run) -> list[float]:
    return [trial["macro_f1"] for trial in run.trials]


def orchestration_s(runs: Sequence[Run], workers: int) -> float | None:
    """Seconds a trial of autoft's that are not the kernel's, once the workers are up: the median of `runs`.

    From the first trial's end to the last one's, less what the kernel took meanwhile on all workers. None
    where there are too few trials to tell.
    """
    costs = []
    for run in runs:
        if len(run.trials) < ENOUGH_TRIALS:
            return None
        trials = sorted(run.trials, key=lambda trial: trial["finished_s"])[workers - 1 :]
        span_s = trials[-1]["finished_s"] - trials[0]["finished_s"]
        kernel_s = sum(trial["elapsed_s"] for trial in trials[1:]) / workers
        costs.append((span_s - kernel_s) / (len(trials) - 1))
    return statistics.median(costs)


def show(workload: str, result: dict[str, Any], console: Console) -> None:
    """A table of the peers, and below it the floor, the cost of a trial and the gate."""
    table = Table(title=f"{workload}: a peer against autoft")
    columns = ("peer", "ratio", "seconds, peer / autoft", "trials/h", "GPU busy", "worker MiB", "disk MiB")
    for name in (*columns, "Spearman"):
        table.add_column(name, justify="left" if name == "peer" else "right")
    for peer, entry in result.items():
        if peer not in PEERS:
            continue
        table.add_row(
            peer,
            f"{entry['ratio']:.2f}",
            "  ".join(f"{theirs:.1f} / {own:.1f}" for theirs, own in entry["pairs"]),
            f"{entry['trials_an_hour']:.0f}",
            _share(entry["gpu_busy"]),
            _both(entry["worker_bytes"]),
            _both(entry["disk_bytes"]),
            f"{entry['spearman']:.3f}",
        )
    console.print(table)
    own = result["autoft"]
    console.print(
        f"autoft: {own['wall_s']:.1f} s, {own['trials_an_hour']:.0f} trials/h, "
        f"GPU busy {_share(own['gpu_busy'])}"
    )
    for name, each in result["floor"].items():
        console.print(
            f"{name} floor: {each['operations'] / 1e12:.2f} Tflop and {each['moved_bytes'] / 1e9:.0f} GB in "
            f"{each['seconds']:.1f} s; autoft's share of it {each['share']:.2f}"
        )
    if own["orchestration_s_per_trial"] is not None:
        console.print(f"orchestration: {own['orchestration_s_per_trial']:.3f} s a trial")
    for metric in METRICS if "gate" in result else ():
        console.print(_sentence(metric, result["gate"][metric]))


def _sentence(metric: str, verdict: dict[str, Any]) -> str:
    return (
        f"gate, {metric}: {'passed' if verdict['passed'] else 'FAILED'}: with the same batches and no "
        f"dropout Spearman {verdict['spearman']:.3f}, largest difference "
        f"{verdict['largest_difference']:.4f}; as timed Spearman {verdict['spearman_as_timed']:.3f}, "
        f"median difference {verdict['median_difference']:+.4f} (by chance up to {verdict['tolerance']:.4f})"
    )


def _share(part: float | None) -> str:
    return "-" if part is None else f"{part:.0%}"


def _both(sizes: dict[str, int]) -> str:
    return f"{sizes['peer'] / MIB:.0f} / {sizes['autoft'] / MIB:.0f}"
