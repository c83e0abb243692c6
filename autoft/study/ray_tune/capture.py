"""Everything that a process prints, in a file: Python, C libraries and child processes alike."""

import os
import sys
from pathlib import Path


class Capture:
    """Sends the file descriptors of standard output and error to the end of `path` until closed."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _flush()
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._before = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
        for descriptor in self._before:
            os.dup2(target, descriptor)
        os.close(target)
        self.path = path
        self._read_to = 0

    def news(self) -> bytes:
        """What was written since the last call."""
        _flush()
        with self.path.open("rb") as file:
            file.seek(self._read_to)
            content = file.read()
        self._read_to += len(content)
        return content

    def close(self) -> None:
        """Restores the descriptors; may be called more than once."""
        _flush()
        while self._before:
            descriptor, before = self._before.popitem()
            os.dup2(before, descriptor)
            os.close(before)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
