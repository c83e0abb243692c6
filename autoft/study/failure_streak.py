"""Trials that fail, and when so many in a row have failed that the search gives up.

Whether the trial of a lost worker is tried again is decided elsewhere, in `Tuner.lost`.
"""

import errno
import re
import traceback
from dataclasses import dataclass
from typing import Literal

from autoft.errors import AutoftError, StudyError
from autoft.spec.study import Faults

FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
"""Error numbers of the OSErrors of a full disk."""
DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
"""Error numbers of the OSErrors of what may not be written to."""
LONGEST_REASON = 300
LONGEST_TRACEBACK = 20_000
"""Characters; the end of a traceback says most."""
FailureKind = Literal["error", "memory", "disk"]


class GaveUp(StudyError):  # noqa: N818 - what the search did, not what the user did
    """Trial after trial failed for the same reason, so the search stopped; finished trials are kept."""


@dataclass(frozen=True)
class Failure:
    """Why a trial cannot go on."""

    kind: FailureKind
    """`memory`: not even one row at a time fits. `disk`: it is full, which is not the trial's fault."""
    reason: str
    """One line."""
    traceback: str

    @staticmethod
    def of(error: BaseException) -> "Failure":
        """The failure that an exception in a worker means."""
        name = "" if isinstance(error, AutoftError) else f"{type(error).__name__}: "
        first_line = (str(error).strip().splitlines() or ["no message"])[0]
        text = "".join(traceback.format_exception(error))
        reason = (name + first_line)[:LONGEST_REASON]
        return Failure(_kind_of(error), reason, text[-LONGEST_TRACEBACK:])


def _kind_of(error: BaseException) -> FailureKind:
    if isinstance(error, OSError) and error.errno in FULL_DISK:
        return "disk"
    # By its name: to import it would import torch before the worker's environment is set.
    return "memory" if type(error).__name__ == "OutOfMemory" else "error"


class Failures:
    """Counts failures in a row that have the same reason."""

    def __init__(self, study: str, faults: Faults) -> None:
        self._study, self._limit = study, faults.stop_after_failures
        self._last: Failure | None = None
        self._count = 0

    def count(self, failure: Failure) -> None:
        """Notes that a trial failed."""
        same = self._last is not None and _pattern(self._last.reason) == _pattern(failure.reason)
        self._last, self._count = failure, self._count + 1 if same else 1

    def forget(self) -> None:
        """Notes that a trial went well."""
        self._last, self._count = None, 0

    @property
    def gave_up(self) -> GaveUp | None:
        """Why the search should stop; None while fewer trials in a row have failed."""
        if self._last is None or self._count < self._limit:
            return None
        return GaveUp(
            f"study {self._study!r}: {self._count} trials in a row failed for the same reason, so the search "
            f"stopped (faults.stop_after_failures): {self._last.reason}\n{self._last.traceback}".rstrip()
        )


def _pattern(reason: str) -> str:
    """A reason without the parts that differ from trial to trial: steps, sizes, names of files.

    >>> _pattern("the loss is nan at step 12"), _pattern("no room for '/a/trial-0007.1'")
    ('the loss is nan at step ', 'no room for ')
    """
    return re.sub(r"'[^']*'|/\S+|\d+", "", reason)
