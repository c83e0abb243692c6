"""Virtual time: workers, the trials that they run, and what a study knows when."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from curves.table import MEASUREMENTS, Surrogate, Values


class Strategy(Protocol):
    """What searches. Trials are known by number."""

    def ask(self) -> tuple[int, Values, int] | None:
        """The next trial: number, values, and the measurement that it goes on from; None: wait or stop."""

    def measured(self, number: int, index: int, value: float) -> bool:
        """A measurement, 1 to MEASUREMENTS; whether the trial goes on. The last one's answer is not heard."""

    def winner(self) -> int | None:
        """The number of the trial that would win now."""


@dataclass
class Trial:
    """A trial of one simulated search."""

    number: int
    values: Values
    shown: np.ndarray
    """[12]: its validation scores."""
    truth: float
    """The whole trial's."""
    truths: np.ndarray
    """[12]: at each measurement."""
    seconds: float
    """Of the whole trial."""
    measured: int = 0
    score: float = -np.inf

    @property
    def step_s(self) -> float:
        """From one measurement to the next."""
        return self.seconds / MEASUREMENTS

    @property
    def truth_now(self) -> float:
        """Of the model that it has so far: of its best measurement."""
        if self.measured == MEASUREMENTS:
            return self.truth
        return float(self.truths[np.argmax(self.shown[: self.measured])])


@dataclass(frozen=True)
class Ended:
    """A trial came to its end, was stopped or was paused."""

    spent_s: float
    """Trial seconds of the whole search so far."""
    trial: Trial
    share: float
    complete: bool


@dataclass
class History:
    """What a simulated search did."""

    ended: list[Ended] = field(default_factory=list)
    incumbents: list[tuple[float, float]] = field(default_factory=list)
    """(trial seconds, true score of the model that would win), whenever it changes."""
    trials: dict[int, Trial] = field(default_factory=dict)

    def truth_at(self, spent_s: np.ndarray) -> np.ndarray:
        """[n]: the winner's true score after so many trial seconds; NaN before the first."""
        times = np.array([time for time, _ in self.incumbents])
        truths = np.array([np.nan, *(truth for _, truth in self.incumbents)])
        return truths[np.searchsorted(times, spent_s, side="right")]


def search(
    surrogate: Surrogate,
    make: Callable[[Callable[[], float]], Strategy],
    seed: int,
    workers: int,
    limit_s: float,
    most: int | None = None,
) -> History:
    """Runs a strategy until `limit_s` trial seconds are spent, or `most` trials begun.

    The same seed shows the same luck.
    """
    clock = [0.0]
    strategy = make(lambda: clock[0])
    history, spent_s = History(), 0.0
    running: list[tuple[float, int, Trial]] = []
    while True:
        while len(running) < workers and spent_s < limit_s:
            if len(history.trials) == most or (asked := strategy.ask()) is None:
                break
            number, values, begun = asked
            trial = history.trials.get(number)
            if trial is None:
                random = np.random.default_rng([seed, number])
                trial = Trial(
                    number,
                    values,
                    surrogate.show(values, random),
                    surrogate.truth(values),
                    surrogate.truths(values),
                    surrogate.seconds(values),
                )
                history.trials[number] = trial
            trial.measured = begun
            heapq.heappush(running, (clock[0] + trial.step_s, number, trial))
        if not running:
            return history
        clock[0], _, trial = heapq.heappop(running)
        spent_s += trial.step_s
        trial.measured += 1
        value = float(trial.shown[trial.measured - 1])
        trial.score = max(trial.score, value)
        goes_on = strategy.measured(trial.number, trial.measured, value)
        complete = trial.measured == MEASUREMENTS
        if (winner := strategy.winner()) is not None:
            truth = history.trials[winner].truth_now
            if not history.incumbents or truth != history.incumbents[-1][1]:
                history.incumbents.append((spent_s, truth))
        if complete or not goes_on:
            history.ended.append(Ended(spent_s, trial, trial.measured / MEASUREMENTS, complete))
        else:
            heapq.heappush(running, (clock[0] + trial.step_s, trial.number, trial))
