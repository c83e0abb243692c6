"""Keeps a search running when standard output fails: a pipe or terminal closes, the disk of its file is full.

A search needs no screen. What cannot be printed is left out, and the log says so once.
"""

import logging
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console

_STDOUT, _STDERR = 1, 2
_LOG = logging.getLogger(__name__)
_UNSEEN = "%s. The search continues without a screen; `autoft show` tells what was found"


class Screen:
    """A text stream that writes to `stream` and never fails."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._reported = False

    def write(self, text: str) -> int:
        """Writes what can be written; returns the number of characters that it was given."""
        try:
            self._stream.write(text)
        except UnicodeEncodeError as error:
            self._stream.write(text.encode(error.encoding, "replace").decode(error.encoding))
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            self._report(error)
        return len(text)

    def flush(self) -> None:
        """Flushes the stream; when a full disk has room again, this writes what is still buffered."""
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._report(error)

    def _report(self, error: Exception) -> None:
        if not self._reported:
            self._reported = True
            reason = error.strerror if isinstance(error, OSError) else error
            _LOG.warning(_UNSEEN, f"nothing can be printed any more: {reason}")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def console() -> "Console":
    """A console on standard output that a search may print to."""
    from autoft.report.printing import new_console

    if getattr(sys.stdout, "name", None) == _STDOUT:  # Python's own stream is called <stdout>
        _LOG.warning(_UNSEEN, "nothing can be printed: standard output is closed")
    return new_console(cast(TextIO, _safe(sys.stdout)))


def protect() -> None:
    """Makes printing never fail in this process from now on, in libraries too; used by a search."""
    sys.stdout, sys.stderr = cast(TextIO, _safe(sys.stdout)), cast(TextIO, _safe(sys.stderr))


def _safe(stream: TextIO | Screen) -> Screen:
    return stream if isinstance(stream, Screen) else Screen(stream)


def open_closed_streams() -> None:
    """Gives this process the standard streams that it was started without (`>&-`).

    Without this the next opened file, such as a database, gets their number, and what libraries print goes
    there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number is this one
    sys.stdout = sys.stdout or os.fdopen(_STDOUT, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(_STDERR, "w", closefd=False)
