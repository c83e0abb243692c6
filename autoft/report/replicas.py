"""What a user sees while a confirmation runs: a line for each replica."""

from collections.abc import Callable, Mapping

from rich.console import Console

from autoft.kernel.measurement import Measurement
from autoft.report import words
from autoft.report.printing import say
from autoft.study.records import TrialRecord


class ReplicaLines:
    """A callback (`study.callback.Callback`).

    Args:
        metric: the objective.
        owners: the number of the trial whose configuration a replica has, by the replica's seed.
        read: a replica's record by its number.
        console: where lines are printed.
    """

    def __init__(
        self,
        metric: str,
        owners: Mapping[int, int],
        read: Callable[[int], TrialRecord],
        console: Console,
    ) -> None:
        self._metric, self._owners, self._read = metric, owners, read
        self._console = console

    def started(self, number: int) -> None:
        """Nothing to say."""

    def measured(self, number: int, measurement: Measurement) -> None:
        """Nothing to say."""

    def finished(self, number: int) -> None:
        """Prints the replica's line."""
        replica = self._read(number)
        owner = self._owners.get(replica.seed or 0)
        of = "no longer needed" if owner is None else f"of trial {owner}"
        said = f"{self._metric} {words.score(replica.score)}"
        if replica.state != "COMPLETE":
            said = f"{replica.state.lower()}: {replica.reason or 'no reason known'}"
        took = words.duration(replica.duration_s)
        say(self._console, f"confirm: replica {number} {of}, seed {replica.seed}, {said} in {took}")
