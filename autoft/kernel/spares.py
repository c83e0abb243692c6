"""Files that nobody needs any more, to be written over by the next ones.

A system finds and clears pages for each new file; an old file has its own. A place of 137 MB took 0.32 s of a
core in a new file and 0.02 s in an old one (experiments/LOG.md).
"""

import os
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from autoft.data.files import replacing

MOST = 4
"""Files that a process remembers: a checkpoint and a place, and those that they replace."""
PREFIX = ".spare."
"""Of their second names, in the same folder."""


class Spares:
    """Remembers the files that this process wrote, each by a second name of its own.

    Once a file has no other name left, because it was replaced or somebody deleted it, the next one is
    written over it. Who gives it another name keeps it. The second names go with the process.
    """

    def __init__(self) -> None:
        self._files: list[Path] = []
        weakref.finalize(self, _remove, self._files)

    @contextmanager
    def replacing(self, path: Path) -> Iterator[Path]:
        """Like `data.files.replacing`, but the temporary file may have bytes in it.

        So nobody may go on reading a file of this process that was replaced or deleted.
        """
        second: Path | None = None
        try:
            with replacing(path) as temporary:
                self._take(temporary)
                yield temporary
                second = _second_name(temporary)
            # After a power cut the old name must not lead to what was written over it since.
            _to_disk(path.parent)
        except BaseException:
            if second is not None:
                second.unlink(missing_ok=True)
            raise
        if second is not None:
            self._remember(second)

    def _take(self, temporary: Path) -> None:
        for spare in list(self._files):
            try:
                if spare.stat().st_nlink > 1:
                    continue
                spare.replace(temporary)
            except OSError:  # cleared away, or on another disk
                spare.unlink(missing_ok=True)
            else:
                self._files.remove(spare)
                return
            self._files.remove(spare)

    def _remember(self, second: Path) -> None:
        self._files.append(second)
        if len(self._files) > MOST:
            _remove([self._files.pop(0)])


def _second_name(path: Path) -> Path | None:
    second = path.with_name(f"{PREFIX}{uuid4().hex}")
    try:
        os.link(path, second)
    except OSError:  # the disk has no such links
        return None
    return second


def _to_disk(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_spare(name: str) -> bool:
    """Whether it is such a second name."""
    return name.startswith(PREFIX)


def remove_spares(folder: Path) -> None:
    """Deletes all second names in a folder, also of processes that were killed; living ones do without."""
    _remove(folder.glob(f"{PREFIX}*"))


def _remove(files: Iterable[Path]) -> None:
    for path in files:
        with suppress(OSError):
            path.unlink(missing_ok=True)
