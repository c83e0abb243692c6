"""One real search, shared by the tests that look at what it left: MiniLM on the quickstart's own rows."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
SPACE = REPOSITORY / "search_spaces" / "quickstart.yaml"
SHORT = ("budget.trials=4", "space.epochs=1", "space.batch_size=32", "space.unfreeze_depth=[0, 1]")
"""Enough to be real, little enough to be quick."""


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str


def run(folder: Path, *arguments: str) -> Ran:
    """The command line in `folder`, in a process of its own, as a user types it."""
    done = subprocess.run(
        [sys.executable, "-m", "autoft", *arguments], cwd=folder, capture_output=True, text=True, timeout=280
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def short_search(folder: Path, *overrides: str) -> Ran:
    """`autoft search quickstart.yaml`, cut short."""
    options = [word for text in (*SHORT, *overrides) for word in ("-o", text)]
    return run(folder, "search", str(SPACE), *options)
