"""Files that nobody needs any more, to be written over by the next ones.

A system finds and clears pages for each new file; an old file has its own. A place of 137 MB took 0.32 s of a
core in a new file and 0.02 s in an old one (experiments/LOG.md).
"""

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from autoft.data.files import replacing

MOST = 2
"""A checkpoint and a place."""
PREFIX = ".spare."
"""Of their names, in the folder of the files that they were."""


class Spares:
    """The spare files of a process; they go with it."""

    def __init__(self) -> None:
        self._files: list[Path] = []
        self._written: dict[Path, int] = {}
        weakref.finalize(self, _remove, self._files)

    @contextmanager
    def replacing(self, path: Path) -> Iterator[Path]:
        """Like `data.files.replacing`, but the temporary file may have bytes, and the old one is a spare.

        So where this process wrote the old file too, nobody else may have it open: it will be written over.
        Who wants to keep it gives it a second name.
        """
        old: Path | None = None
        try:
            with replacing(path) as temporary:
                self._take(temporary)
                yield temporary
                written = temporary.stat().st_ino
                old = self._second_name(path)
        except BaseException:
            if old is not None:
                old.unlink(missing_ok=True)
            raise
        self._written[path] = written
        if old is not None:
            self._files.append(old)

    def add(self, path: Path) -> None:
        """Makes a file a spare that is needed no more; one that is not there is none."""
        old = self._second_name(path)
        path.unlink(missing_ok=True)
        if old is not None:
            self._files.append(old)

    def _take(self, temporary: Path) -> None:
        if self._files:
            with suppress(OSError):  # cleared away, or on another disk: then the file is a new one
                self._files.pop().replace(temporary)

    def _second_name(self, path: Path) -> Path | None:
        """The file outlives its own name by it; None where it is not needed, or not only ours."""
        if len(self._files) >= MOST:
            return None
        spare = path.with_name(f"{PREFIX}{uuid4().hex}")
        try:
            found = path.stat()
            if found.st_ino != self._written.get(path) or found.st_nlink > 1:
                return None
            os.link(path, spare)
        except OSError:  # there is none, or the disk has no such links
            return None
        return spare


def is_spare(name: str) -> bool:
    """Whether a file is one, by its name."""
    return name.startswith(PREFIX)


def remove_spares(folder: Path) -> None:
    """Deletes those in a folder, also of processes that were killed; a living one does without them."""
    _remove(folder.glob(f"{PREFIX}*"))


def _remove(files: "Iterator[Path] | list[Path]") -> None:
    for path in files:
        with suppress(OSError):
            path.unlink(missing_ok=True)
