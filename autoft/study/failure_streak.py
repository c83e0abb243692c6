"""Trials that fail, and the point at which failures are no accident any more."""

import errno
import re
import traceback
from dataclasses import dataclass
from typing import Literal

from autoft.errors import AutoftError, StudyError
from autoft.spec.study import Faults

FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of the OSErrors that say so."""
DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
"""The same of what may not be written to."""
LONGEST_REASON = 300
LONGEST_TRACEBACK = 20_000
"""Characters; the end of a traceback says most."""
FailureKind = Literal["error", "memory", "disk"]


class GaveUp(StudyError):  # noqa: N818 - what the search did, not what the user did
    """Trial after trial failed for one reason, so the search stopped; what is finished stands."""


@dataclass(frozen=True)
class Failure:
    """Why a trial cannot go on."""

    kind: FailureKind
    """`memory`: not even one row at a time fits. `disk`: it is full, which is no fault of the trial's."""
    reason: str
    """One line."""
    traceback: str

    @staticmethod
    def of(error: BaseException) -> "Failure":
        """What an exception in a worker says."""
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
    """Counts failures in a row for one and the same reason."""

    def __init__(self, study: str, faults: Faults) -> None:
        self._study, self._limit = study, faults.stop_after_failures
        self._last: Failure | None = None
        self._count = 0

    def count(self, failure: Failure) -> None:
        """A trial failed."""
        same = self._last is not None and _pattern(self._last.reason) == _pattern(failure.reason)
        self._last, self._count = failure, self._count + 1 if same else 1

    def forget(self) -> None:
        """A trial went well."""
        self._last, self._count = None, 0

    @property
    def gave_up(self) -> GaveUp | None:
        """Why no more trial is worth starting; None while there is hope."""
        if self._last is None or self._count < self._limit:
            return None
        return GaveUp(
            f"study {self._study!r}: {self._count} trials in a row failed for the same reason, so the search "
            f"stopped (faults.stop_after_failures): {self._last.reason}\n{self._last.traceback}".rstrip()
        )


def _pattern(reason: str) -> str:
    """A reason without what differs from trial to trial: steps, sizes, names of files.

    >>> _pattern("the loss is nan at step 12"), _pattern("no room for '/a/trial-0007.1'")
    ('the loss is nan at step ', 'no room for ')
    """
    return re.sub(r"'[^']*'|/\S+|\d+", "", reason)
