"""How the cost of a trial grows with its study: 1,000 trials of instant reports, recorder on, 2 workers.

    python experiments/growth.py [--trials N] [--rounds N] [--sampler random] [--sampler tpe]

No trial is pruned, because all are alike: every window has the same work to do, and the pruner the most.
Wanted, trials 20 to 120 against the last 100: at most 1.1 with the sampler `random`, 1.3 with `tpe`, whose
model is fitted to all trials. A busy machine slows one window and not the other, so each figure is the
least of several rounds; beside the clock stands the processor time of this process (study, Ray's driver and
recorder). The searches write into the temporary folder: TMPDIR says on which disk.
"""

import argparse
import gc
import tempfile
import time
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

from overhead import InstantWorkbench, make_spec, measure, open_overhead_study, open_recorder
from rich.console import Console
from rich.table import Table

from autoft.kernel.config import FineTuneConfig
from autoft.kernel.measurement import Measurement
from autoft.study.worker_interface import Node, Workbench

WANTED = {"random": 1.1, "tpe": 1.3}
"""The last window's cost over the first's, at most."""
FIRST, WIDTH = 20, 100
"""Trials before the first window, and of each window."""


class LevelWorkbench(InstantWorkbench):
    """All trials measure the same."""

    def height(self, config: FineTuneConfig) -> float:
        """Whatever the parameters."""
        return 1.0


def level_workbench(node: Node) -> Workbench:
    """Nothing to prepare."""
    return LevelWorkbench()


@dataclass(frozen=True)
class Moment:
    """When a trial ended, as sums since the start."""

    wall_s: float
    cpu_s: float
    reports: int

    def each(self, later: "Moment") -> "Moment":
        """What one trial of a window that begins here cost, times `WIDTH`."""
        return Moment(later.wall_s - self.wall_s, later.cpu_s - self.cpu_s, later.reports - self.reports)


class Stopwatch:
    """A watcher that notes the end of every trial."""

    def __init__(self) -> None:
        self.ends: list[Moment] = []
        self._reports = 0

    def started(self, number: int) -> None:
        """Nothing is over."""

    def measured(self, number: int, measurement: Measurement) -> None:
        """One more report."""
        self._reports += 1

    def finished(self, number: int) -> None:
        """In the order of ends, which with two workers is almost that of the numbers."""
        self.ends.append(Moment(time.perf_counter(), time.process_time(), self._reports))


def search(sampler: str, trials: int) -> list[Moment]:
    """The ends of all trials of a new study."""
    with tempfile.TemporaryDirectory() as name, chdir(name):
        folder = Path(name)
        spec = make_spec(folder, trials, sampler)
        study = open_overhead_study(spec, folder / "study")
        recorder, stopwatch = open_recorder(study, folder), Stopwatch()
        measure(study, spec, folder / "study", [recorder, stopwatch], level_workbench)
        if warning := recorder.close():
            print(warning)
    return stopwatch.ends


def windows(ends: list[Moment]) -> dict[str, Moment]:
    """What `WIDTH` trials cost: the first window, two between, the last."""
    last = len(ends) - WIDTH - 1
    starts = [FIRST + (last - FIRST) * third // 3 for third in range(4)]
    return {f"{start} to {start + WIDTH}": ends[start].each(ends[start + WIDTH]) for start in starts}


def least(rounds: list[dict[str, Moment]]) -> dict[str, Moment]:
    """The least wall clock and the least processor time of each window."""
    return {
        window: Moment(
            min(one[window].wall_s for one in rounds),
            min(one[window].cpu_s for one in rounds),
            max(one[window].reports for one in rounds),
        )
        for window in rounds[0]
    }


def show(sampler: str, costs: dict[str, Moment]) -> Table:
    """A row a window, and the ratios."""
    table = Table("trials", "ms a trial", "CPU ms a trial", "reports a trial", title=sampler)
    for trials, cost in costs.items():
        milliseconds = (f"{seconds * 1000 / WIDTH:.0f}" for seconds in (cost.wall_s, cost.cpu_s))
        table.add_row(trials, *milliseconds, f"{cost.reports / WIDTH:.2f}")
    first, *_, last = costs.values()
    ratios = (last.wall_s / first.wall_s, last.cpu_s / first.cpu_s, last.reports / first.reports)
    table.add_section()
    table.add_row(f"last / first (wanted: {WANTED[sampler]})", *(f"{ratio:.2f}" for ratio in ratios))
    return table


def main() -> None:
    """Prints a table a sampler."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--sampler", action="append", choices=WANTED)
    options = parser.parse_args()
    gc.freeze()  # as the command line does once all is imported
    for sampler in options.sampler or WANTED:
        rounds = [windows(search(sampler, options.trials)) for _ in range(options.rounds)]
        Console().print(show(sampler, least(rounds)))


if __name__ == "__main__":
    main()
