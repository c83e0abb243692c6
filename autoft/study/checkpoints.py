"""Which checkpoints of a study stay on the disk."""

from collections.abc import Collection
from pathlib import Path

from autoft.study.disk_quota import Disk
from autoft.study.layout import CHECKPOINTS, trial_of


class CheckpointRetention:
    """Keeps those of the best trials (`checkpoints.keep`), of trial 0 and of all unfinished trials.

    Trial 0 is the default, which is asked for the test rows beside the winner.

    Args:
        folder: of the study.
        keep: how many of the best trials keep theirs.
        maximize: whether a larger score is better.
        disk: limits the size of the folder.
    """

    def __init__(self, folder: Path, keep: int, *, maximize: bool, disk: Disk) -> None:
        self._folder, self._keep, self._maximize, self._disk = folder, keep, maximize, disk
        self._best: list[tuple[float, int, str]] = []
        self._default = ""

    def add(self, number: int, score: float, checkpoint: str | None) -> None:
        """Notes a COMPLETE trial. Of equal ones the earliest ranks first, as the winner does."""
        if number == 0:
            self._default = checkpoint or ""
        rank = -score if self._maximize else score
        self._best = sorted([*self._best, (rank, number, checkpoint or "")])[: self._keep]

    def delete_all_but_best(self, unfinished: Collection[int]) -> None:
        """Deletes those of ended trials that are not among the best; `unfinished` trials keep theirs."""
        kept = {self._default, *(checkpoint for _, _, checkpoint in self._best)}
        for name in self._of_ended(unfinished) - kept:
            (self._folder / name).unlink(missing_ok=True)

    def bound(self, unfinished: Collection[int]) -> None:
        """Makes room in a folder that is too large; the best trial, which wins, keeps its checkpoint.

        Raises:
            StudyError: not enough room can be made.
        """
        kept = {checkpoint for _, _, checkpoint in self._best[:1]}
        self._disk.trim(lambda: self._of_ended(unfinished) - kept)

    def _of_ended(self, unfinished: Collection[int]) -> set[str]:
        """Names of all checkpoints of ended trials, relative to the folder; other files are left out."""
        names = [path.name for path in (self._folder / CHECKPOINTS).iterdir()]
        return {f"{CHECKPOINTS}/{name}" for name in names if trial_of(name) not in {-1, *unfinished}}
