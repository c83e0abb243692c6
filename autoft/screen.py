"""Standard output may go away while a search runs: a pipe or terminal closes, the disk of its file is full.

A night needs no screen. What cannot be printed is left out, and the log says so once.
"""

import logging
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console

_LOG = logging.getLogger(__name__)
_UNSEEN = "%s. The search goes on without a screen; `autoft show` tells what was found"


class Screen:
    """A text stream that never fails: as `stream`, where that takes what is written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._told = False

    def write(self, text: str) -> int:
        """Writes what can be written, and gives the number of characters that it was asked for."""
        try:
            self._stream.write(text)
        except UnicodeEncodeError as error:
            self._stream.write(text.encode(error.encoding, "replace").decode(error.encoding))
        except (OSError, ValueError) as error:  # ValueError: somebody has closed the stream
            self._tell(error)
        return len(text)

    def flush(self) -> None:
        """As a stream's; room on the disk brings back what was written meanwhile, as far as it was kept."""
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            reason = error.strerror if isinstance(error, OSError) else error
            _LOG.warning(_UNSEEN, f"nothing can be printed any more: {reason}")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def console() -> "Console":
    """A console on standard output that a search may print to."""
    from rich.console import Console

    if getattr(sys.stdout, "name", None) == os.devnull:
        _LOG.warning(_UNSEEN, "nothing can be printed: standard output is closed")
    return Console(file=cast(TextIO, Screen(sys.stdout)))


def open_closed_streams() -> None:
    """Gives this process the standard streams that it was started without (`>&-`).

    Else the next file that is opened gets their number, a database, say, and what libraries print goes there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number is this one
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - it is the stream from now on


def settle() -> None:
    """At the end: Python flushes once more, and complains where that fails."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
