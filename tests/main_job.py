"""One real search, shared by the tests that look at what it left: MiniLM on the quickstart's own rows."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from . import warm

REPOSITORY = Path(__file__).parents[1]
SPACE = REPOSITORY / "search_spaces" / "quickstart.yaml"
SHORT = ("budget.trials=4", "space.epochs=1", "space.batch_size=32", "space.unfreeze_depth=[0, 1]")
"""Enough to be real, little enough to be quick."""
TIMEOUT_S = 280


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str


def run(folder: Path, *arguments: str) -> Ran:
    """The command line in `folder`, in a process of its own that has its imports behind it."""
    with TemporaryDirectory() as files:
        out, err = Path(files, "out"), Path(files, "err")
        code = warm.run(list(arguments), folder, out, err, TIMEOUT_S)
        return Ran(code, out.read_text(), err.read_text())


def run_from_the_start(folder: Path, *arguments: str) -> Ran:
    """The same as a user types it, in a new Python: slower, and all of it is true."""
    command = [sys.executable, "-m", "autoft", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S)
    return Ran(done.returncode, done.stdout, done.stderr)


def wait_for_a_trial(folder: Path, search: "subprocess.Popen[str]") -> None:
    """Until a trial of the search that runs in `folder` has written its first checkpoint."""
    until = time.monotonic() + TIMEOUT_S / 2
    while not list(folder.glob("studies/quickstart/checkpoints/*.safetensors")):
        assert search.poll() is None
        assert time.monotonic() < until
        time.sleep(0.1)


def search_words(*overrides: str) -> list[str]:
    """`autoft search quickstart.yaml`, cut short, without the first word."""
    return ["search", str(SPACE), *(word for text in (*SHORT, *overrides) for word in ("-o", text))]


def short_search(folder: Path, *overrides: str) -> Ran:
    """That search."""
    return run(folder, *search_words(*overrides))
