"""The quickstart's search from the command line: 24 random trials, none stopped, four at a time on a GPU."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

QUICKSTART = Path(__file__).parents[2] / "search_spaces" / "quickstart.yaml"
OVERRIDES = (
    "search.start=random",
    "search.sampler=random",
    "search.pruner=none",
    "search.seed=7",
    "resources.gpus_per_trial=0.25",
)


def main() -> None:
    """Seconds of each command, and the end of what it said."""
    with tempfile.TemporaryDirectory() as folder:
        for command in (
            ["check", str(QUICKSTART)],
            ["search", str(QUICKSTART), *overrides()],
            ["best", "quickstart"],
        ):
            began = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-m", "autoft", *command],
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=200,
            )
            print(*done.stdout.splitlines()[-25:], sep="\n")
            print(f"autoft {command[0]}: {time.monotonic() - began:.1f} s, status {done.returncode}")


def overrides() -> list[str]:
    """As options of the command."""
    graphs = ("resources.cuda_graphs=true",) if os.environ.get("GRAPHS") else ()
    return [word for override in (*OVERRIDES, *graphs) for word in ("-o", override)]


if __name__ == "__main__":
    main()
