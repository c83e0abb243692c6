"""Keeps what a study writes within `resources.disk`: the least valuable files are deleted first."""

import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from autoft.errors import StudyError
from autoft.kernel.boundary.drop import drop_finished_states
from autoft.study.layout import DATA

_LOG = logging.getLogger(__name__)
LOOKED_EVERY_S = 5.0


class Disk:
    """Checks the size of the study's folder now and then.

    Args:
        folder: of the study.
        limit: bytes; None is no limit.
        clock: seconds, monotonic.
    """

    def __init__(self, folder: Path, limit: int | None, clock: Callable[[], float]) -> None:
        self._folder, self._limit, self._clock = folder, limit, clock
        self._looked_s: float | None = None
        self._states_were_dropped = False

    def trim(self, checkpoints: Callable[[], Iterable[str]]) -> None:
        """Makes room if the folder exceeds its limit.

        The checkpoints that `checkpoints` names (relative to the folder) are deleted first: they can be
        trained again. Then the stored hidden states, which can be computed again; this is done only once.

        Raises:
            StudyError: what is left is still too much, or has become too much a second time.
        """
        if self._limit is None or not self._is_time:
            return
        if bytes_below(self._folder) <= self._limit:
            return
        for name in checkpoints():
            (self._folder / name).unlink(missing_ok=True)
        if bytes_below(self._folder) > self._limit and not self._states_were_dropped:
            _LOG.warning("resources.disk: the stored hidden states are dropped, and computed again")
            drop_finished_states(self._folder / DATA)
            self._states_were_dropped = True
        if (size := bytes_below(self._folder)) > self._limit:
            raise StudyError(
                f"{self._folder} takes {size:,} bytes, more than resources.disk ({self._limit:,}), although "
                "what can be made again was deleted; raise resources.disk, then run the same command again "
                "to continue"
            )

    @property
    def _is_time(self) -> bool:
        now_s = self._clock()
        if self._looked_s is not None and now_s - self._looked_s < LOOKED_EVERY_S:
            return False
        self._looked_s = now_s
        return True


def bytes_below(folder: Path) -> int:
    """The bytes that the files in a folder take; files that vanish meanwhile count as 0."""
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += os.lstat(os.path.join(place, name)).st_size
    return size
