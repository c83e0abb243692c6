"""How much a tracking server that makes trouble slows a search: scripted trials, pairs in turns.

    python experiments/tracking_faults.py --pairs 5

A real `mlflow server` behind a proxy that is well in one run of a pair and gone, slow (2 s a request) or
answering 500 in the other. What is compared is the time of the trials; the recorder's end is not part of it.
"""

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import chdir
from pathlib import Path

from overhead import InstantWorkbench, make_spec, measure, open_overhead_study

from autoft.study.records import read_info, read_trial
from autoft.study.storage import study_id
from autoft.study.worker_interface import Node
from autoft.tracking import ui
from autoft.tracking.recorder import Recorder

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.tracking.fault_proxy import fault_proxy

MODES = ("gone", "slow", "500 before", "500 after")
MEASUREMENT_S = 0.05


class PacedWorkbench(InstantWorkbench):
    """Four measurements, each after a little time."""

    def fine_tune(self, *arguments, **named):  # type: ignore[no-untyped-def]  # as its base
        """See `InstantWorkbench`."""
        for measurement in super().fine_tune(*arguments, **named):
            time.sleep(MEASUREMENT_S)
            yield measurement


def paced_workbench(node: Node) -> PacedWorkbench:
    """Nothing to prepare."""
    return PacedWorkbench()


def main() -> None:
    """Prints the median ratio of each trouble."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--mode", action="append", choices=MODES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, chdir(name):
        process, url = ui.start(f"sqlite:///{name}/mlflow.db")
        try:
            for mode in options.mode or MODES:
                ratios = [_pair(url, mode, options.trials, number) for number in range(options.pairs)]
                told = ", ".join(f"{ratio:.3f}" for ratio in ratios)
                print(f"{mode}: median {statistics.median(ratios):.3f} of {told}", flush=True)
        finally:
            ui.stop(process)


def _pair(url: str, mode: str, trials: int, number: int) -> float:
    order = (mode, "ok") if number % 2 else ("ok", mode)
    seconds = {each: _search(url, each, trials) for each in order}
    return seconds[mode] / seconds["ok"]


def _search(url: str, mode: str, trials: int) -> float:
    with tempfile.TemporaryDirectory() as name, fault_proxy(url) as proxy:
        folder = Path(name)
        spec = make_spec(folder, trials)
        study = open_overhead_study(spec, folder / "study")
        proxy.mode = mode
        recorder = Recorder(
            proxy.url,
            "faults",
            study_id(study),
            lambda: read_info(study),
            lambda number: read_trial(study, number),
        )
        seconds = measure(study, spec, folder / "study", [recorder], paced_workbench)["trials"]
        proxy.mode = "ok"
        if (warning := recorder.close(120)) is not None:
            raise RuntimeError(warning)
        return seconds


if __name__ == "__main__":
    main()
