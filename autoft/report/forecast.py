"""From what a rehearsal saw to what the search will take: pure arithmetic, in ranges."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autoft.spec.space import Value

BETWEEN_TRIALS_S = 0.3
"""What Ray and Optuna take for a trial, as measured in the design."""


@dataclass(frozen=True)
class Tried:
    """What the few steps of one corner of the space took."""

    values: Mapping[str, Value]
    """Of the corner (`spec.corners`)."""
    node: str
    """The host that ran it."""
    step_s: float
    evaluation_s: float
    """Of one validation row."""
    start_s: float
    """All but steps and evaluations: the process starts, the model is loaded, the rows are encoded."""
    host_bytes: int
    """Peak main memory of the process."""
    gpu_bytes: int
    """Peak memory on its GPU; 0 without one."""
    checkpoint_bytes: int
    resume_bytes: int
    """Of the file from which an interrupted trial goes on."""
    micro_batch: int | None
    """See `Measurement`."""

    def trial_s(self, steps: int, evaluations: int, rows: int, share: float = 1.0) -> float:
        """Seconds of a trial with so many steps and evaluations of `rows` validation rows.

        `share` is how long its rows are, of those that were tried.
        """
        return BETWEEN_TRIALS_S + share * steps * self.step_s + evaluations * rows * self.evaluation_s


@dataclass(frozen=True)
class Pace:
    """How fast trials can be on nodes of one kind."""

    slots: float
    """Trials at the same time on all of them."""
    fastest_s: float
    """Of the cheapest trial that is stopped at its first measurement."""
    slowest_s: float
    """Of the costliest trial that runs to its end."""


def time_for(trials: int, paces: Sequence[Pace]) -> tuple[float, float]:
    """Seconds until so many trials are done, at least and at most.

    >>> time_for(10, [Pace(2, 1.0, 30.0)])
    (5.0, 150.0)
    """
    if trials == 0:
        return 0.0, 0.0
    fast = sum(pace.slots / pace.fastest_s for pace in paces)
    slow = sum(pace.slots / pace.slowest_s for pace in paces)
    at_least = min(pace.fastest_s for pace in paces)
    at_most = max(pace.slowest_s for pace in paces)
    return max(at_least, trials / fast), max(at_most, trials / slow)


def trials_within(seconds: float, paces: Sequence[Pace]) -> tuple[int, int]:
    """How many trials can be done in that time, at least and at most.

    >>> trials_within(100, [Pace(2, 1.0, 30.0)])
    (6, 200)
    """
    fewest = sum(pace.slots * math.floor(max(0.0, seconds) / pace.slowest_s) for pace in paces)
    most = sum(pace.slots * seconds / pace.fastest_s for pace in paces)
    return math.floor(fewest), math.floor(most)


@dataclass(frozen=True)
class DiskNeed:
    """Bytes that a search takes at its fullest."""

    checkpoints: int
    """Of the best trials and of those that run."""
    going_on: int
    """Resume files of running trials, from which an interrupted search goes on."""
    cache: int
    """Hidden states."""
    model: int
    """The winner in MLflow's form, before and after it is uploaded."""

    @staticmethod
    def of(tried: Sequence[Tried], keep: int, slots: int, cache: int, model: int) -> "DiskNeed":
        """For `keep` best trials and `slots` running ones.

        A trial's file is replaced by a whole new one, so each that runs has two for a moment.
        """
        checkpoint = max(each.checkpoint_bytes for each in tried)
        resume = max(each.resume_bytes for each in tried)
        return DiskNeed(checkpoint * (keep + 2 * slots), 2 * resume * slots, cache, 2 * model)

    @property
    def total(self) -> int:
        """All of it."""
        return self.checkpoints + self.going_on + self.cache + self.model
