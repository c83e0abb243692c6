"""Trials that fail, and the point at which failures are no accident any more."""

import errno
import re
from dataclasses import dataclass
from typing import Literal

from autoft.errors import StudyError
from autoft.spec.study import Faults

FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of the OSErrors that say so."""


class GaveUp(StudyError):  # noqa: N818 - what the search did, not what the user did
    """Trial after trial failed for one reason, so the search stopped; what is finished stands."""


@dataclass(frozen=True)
class Failure:
    """Why a trial cannot go on."""

    kind: Literal["error", "memory", "disk"]
    """`memory`: not even one row at a time fits. `disk`: it is full, which is no fault of the trial's."""
    reason: str
    """One line."""
    traceback: str


class Failures:
    """Counts failures in a row for one and the same reason."""

    def __init__(self, study: str, faults: Faults) -> None:
        self._study, self._limit = study, faults.stop_after_failures
        self._last: Failure | None = None
        self._count = 0

    def count(self, failure: Failure) -> None:
        """A trial failed."""
        same = self._last is not None and _kind(self._last.reason) == _kind(failure.reason)
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


def _kind(reason: str) -> str:
    """A reason without what differs from trial to trial: steps, sizes, names of files.

    >>> _kind("the loss is nan at step 12"), _kind("no room for '/a/trial-0007.1'")
    ('the loss is nan at step ', 'no room for ')
    """
    return re.sub(r"'[^']*'|/\S+|\d+", "", reason)
