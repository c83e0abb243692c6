"""One run of one side, from outside: seconds, memory and disk of a process that finds nothing cached."""

import json
import os
import pickle
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SAMPLE_EVERY_S = 0.25
WORKER_TITLES = ("ray::", "multiprocessing.spawn")
"""In the command line of a process that trains: Ray's actors, and the two processes of `hf-optuna-tuned`."""
LINGER_S = 20.0
"""How long a run's processes may take to end after it; they must not run into the next one's time."""
LOG_TAIL = 3000
FOREIGN = ("HF_", "RAY_", "TUNE_", "MLFLOW_", "OMP_", "MKL_", "TRANSFORMERS_", "XDG_", "TOKENIZERS_")
"""Settings of the caller's shell that would reach one side and not another."""


@dataclass(frozen=True)
class Run:
    """What one run took and gave."""

    side: str
    wall_s: float
    """From the start of the process to its end: imports, Ray's start and stop, tokenizing, all of it."""
    worker_bytes: int
    """The most private memory (RssAnon) that any one worker process had, as far as samples saw."""
    disk_bytes: int
    """What is left on the disk: working directory, home and temporary folder together."""
    trials: list[dict[str, Any]]
    """The figures of each configuration."""
    gpu_busy: float | None = None
    """Of all this time, the share in which the GPU computed, as `nvidia-smi` samples it; None without one."""

    @property
    def trials_an_hour(self) -> float:
        """At this pace, start and end included."""
        return len(self.trials) / self.wall_s * 3600


def run_side(side: str, job: object, module: str = "bench.sides") -> Run:
    """Runs `side` in a process of its own, in a new folder that is also its home; deletes the folder.

    Args:
        side: a name that `module` knows.
        job: what the side is told; it is pickled.
        module: run as `python -m module SIDE JOB RESULT`; it writes `Run.trials` as JSON to RESULT.

    Raises:
        RuntimeError: the side failed; with the end of what it printed.
    """
    with _new_folder() as folder:
        job_file, result_file, log = folder / "job.pkl", folder / "result.json", folder / "log.txt"
        job_file.write_bytes(pickle.dumps(job))
        command = [sys.executable, "-m", module, side, str(job_file), str(result_file)]
        with log.open("wb") as output, _gpu_busy() as busy:
            began = time.perf_counter()
            process = subprocess.Popen(
                command, cwd=folder / "work", env=_environment(folder), stdout=output, stderr=output
            )
            worker_bytes, seen = _watch(process)
            wall_s = time.perf_counter() - began
        _wait_for(seen)
        if process.returncode != 0 or not result_file.exists():
            tail = log.read_text(errors="replace")[-LOG_TAIL:]
            raise RuntimeError(f"{side} ended with {process.returncode}:\n{tail}")
        trials = json.loads(result_file.read_text())
        disk_bytes = sum(_bytes_below(folder / name) for name in _PLACES)
    return Run(side, wall_s, worker_bytes, disk_bytes, trials, statistics.fmean(busy) if busy else None)


_PLACES = ("work", "home", "tmp")


@contextmanager
def _new_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="b-"))  # short: Ray puts sockets below it
    try:
        for name in _PLACES:
            (folder / name).mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _gpu_busy() -> Iterator[list[float]]:
    """Filled at the end of the block: of each sample's time, the share in which the GPU had a kernel."""
    found: list[float] = []
    if shutil.which("nvidia-smi") is None:
        yield found
        return
    asked = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    every = f"--loop-ms={round(1000 * SAMPLE_EVERY_S)}"
    with subprocess.Popen([*asked, every], stdout=subprocess.PIPE, text=True) as sampler:
        yield found
        sampler.terminate()
        told, _ = sampler.communicate()
    found += [float(line) / 100 for line in told.split() if line.isdigit()]


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | {
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "PYTHONPATH": os.pathsep.join(paths),
        "HF_HUB_OFFLINE": "1",
    }


def _watch(process: subprocess.Popen[bytes]) -> tuple[int, set[int]]:
    """Waits for the end; gives the highest memory of a worker and the ids of all processes seen."""
    highest, seen = 0, set()
    while True:
        try:
            process.wait(SAMPLE_EVERY_S)
            return highest, seen
        except subprocess.TimeoutExpired:
            family = _descendants(process.pid)
            seen |= family
            highest = max([highest, *(_anonymous_bytes(pid) for pid in family if _is_worker(pid))])


def _descendants(root: int) -> set[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _read(entry / "stat")):
            # The name in brackets may hold spaces; the parent is the second field behind it.
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found, last = {root}, {root}
    while last:
        last = {pid for pid, parent in parents.items() if parent in last} - found
        found |= last
    return found


def _is_worker(pid: int) -> bool:
    command = _read(Path(f"/proc/{pid}/cmdline"))
    return any(title in command for title in WORKER_TITLES)


def _anonymous_bytes(pid: int) -> int:
    for line in _read(Path(f"/proc/{pid}/status")).splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # the process ended meanwhile
        return ""


def _wait_for(pids: Iterable[int]) -> None:
    end = time.monotonic() + LINGER_S
    while time.monotonic() < end and any(Path(f"/proc/{pid}").exists() for pid in pids):
        time.sleep(SAMPLE_EVERY_S)


def _bytes_below(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
