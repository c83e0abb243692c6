"""Who is told that a trial moved: the recorder and the live view."""

from typing import Protocol

from autoft.kernel.measurement import Measurement


class Callback(Protocol):
    """Is told what happened, on the thread that drives the search; must return at once and never raise.

    What a callback shows it reads from the study (`records.read_trial`), which is written before it is told.
    """

    def started(self, number: int) -> None:
        """The trial `number` is handed to a worker, for the first time or again after an interruption."""

    def measured(self, number: int, measurement: Measurement) -> None:
        """The trial was evaluated."""

    def finished(self, number: int) -> None:
        """The trial is COMPLETE, PRUNED or FAIL."""
