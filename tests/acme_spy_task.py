"""What the task of `acme_spy` does in a trial besides: it looks for marked rows wherever it is led."""

import gc
import json
import os
import re
import sys
from pathlib import Path

from acme_spy import TASK

from autoft.tasks.text_classification.task import TextClassification

MARKS = {split: re.compile(f"zz[q]{split}".encode()) for split in ("train", "validation", "test")}
"""As patterns, so that a mark in memory is one of the rows'."""


class Spy(TextClassification):
    spec = TASK

    def loss(self, outputs, batch, values):
        inputs = shared_inputs()
        report = inputs.cache / "spied.json"
        if Path(sys.argv[0]).name == "default_worker.py" and not report.exists():
            rows = inputs.rows.read_bytes()  # these it is given: so what is looked for can be found
            found = {"memory": in_memory(), "files": in_files(inputs.rows.parent.parent)}
            report.write_text(json.dumps({**found, "open": in_open_files(), "given": seen(rows)}))
        return super().loss(outputs, batch, values)


def shared_inputs():
    """What all trials of the study are given; found by a look at every object of the process."""
    return next(each for each in gc.get_objects() if type(each).__name__ == "StudyInputs")


def seen(text):
    return [split for split, mark in MARKS.items() if mark.search(text)]


def in_memory():
    """Marks in what this process can read and write alone, and in the Arrow files that it has mapped.

    Memory shared by all of Ray is left out: most of it was never touched, and reading would claim it.
    """
    found = set()
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps.read().splitlines():
            ends, rights, _, _, _, *name = line.split(maxsplit=5)
            first, last = (int(end, 16) for end in ends.split("-"))
            private = rights.startswith("rw") and rights.endswith("p")
            if private or (name and name[0].endswith(".arrow")):
                try:
                    memory.seek(first)
                    found.update(seen(memory.read(last - first)))
                except (OSError, ValueError):  # the kernel's own pages
                    continue
    return sorted(found)


def in_files(folder):
    """Marks in all files of the study."""
    paths = [each for each in folder.rglob("*") if each.is_file()]
    return sorted({split for path in paths for split in seen(path.read_bytes())})


def in_open_files():
    """Marks in the regular files that this process has open."""
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        try:
            path = Path(os.readlink(each))
            if path.is_file() and path.stat().st_size < 2**28:
                found.update(seen(path.read_bytes()))
        except OSError:  # closed by now
            continue
    return sorted(found)
