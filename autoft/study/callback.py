"""What the search calls when a trial has changed: the recorder and the live view."""

from typing import Protocol

from autoft.kernel.measurement import Measurement


class Callback(Protocol):
    """Is called on the thread that drives the search; must return at once and never raise.

    What a callback shows it reads from the study (`records.read_trial`), which is written before the call.
    """

    def started(self, number: int) -> None:
        """The trial `number` is handed to a worker, for the first time or again after an interruption."""

    def measured(self, number: int, measurement: Measurement) -> None:
        """The trial was evaluated."""

    def finished(self, number: int) -> None:
        """The trial is COMPLETE, PRUNED or FAIL."""
