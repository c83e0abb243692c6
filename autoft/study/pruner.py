"""Decides which trials stop early, and names the trial that each was behind.

Every decision follows from the trials' measurements alone: asked again after a kill, it is the same.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import copy

import numpy as np
import optuna
from optuna.pruners import MedianPruner
from optuna.trial import FrozenTrial, TrialState

from autoft.errors import Problem, SpecError
from autoft.spec.location import dotted
from autoft.spec.space import Value
from autoft.spec.study import SearchMethod, StudySpec
from autoft.study.curves import Curves, last_step
from autoft.study.records import END_ATTR
from autoft.study.stop import Stop
from autoft.study.trial_config import measurements_of, report_steps_of

MIN_TO_PRUNE = 4
"""Trials that have to be COMPLETE before any is pruned."""
FIRST_RUNG = 0.25
"""Share of a trial's training before which it is not judged: early values favor fast starters."""


class Pruner(ABC):
    """Judges a trial after each measurement but its last.

    Args:
        curves: of the study.
        first: the report step before which no trial is judged.
    """

    def __init__(self, curves: Curves, first: int) -> None:
        self.curves, self.first = curves, first

    def judges_at(self, step: int) -> bool:
        """Whether trials are judged at that step."""
        return step >= self.first

    @property
    @abstractmethod
    def expected_share(self) -> float:
        """The share of its training that a trial is expected to do once trials are judged."""

    @abstractmethod
    def judge(self, trials: Sequence[FrozenTrial], trial: FrozenTrial) -> Stop | None:
        """Whether `trial`, one of `trials`, stops at its last measurement, and why."""

    def behind(self, rival: FrozenTrial, trial: FrozenTrial) -> Stop:
        """The stop of `trial`, which is behind `rival` at the trial's last measurement."""
        step = last_step(trial)
        gap = self.curves.best_so_far(rival)[step - 1] - self.curves.current(trial)
        return Stop(rival.number, step / self.curves.report_steps, float(gap))


class Never(Pruner):
    """Every trial runs to its end."""

    def judges_at(self, step: int) -> bool:
        """Never."""
        return False

    @property
    def expected_share(self) -> float:
        """The whole training."""
        return 1.0

    def judge(self, trials: Sequence[FrozenTrial], trial: FrozenTrial) -> Stop | None:
        """Never stops a trial."""
        return None


class SuccessiveHalving(Pruner):
    """At every rung one trial in `factor` continues, asynchronously (ASHA, arXiv 1810.05934).

    The rungs lie at `first`, `first * factor` and so on. A trial is judged at its first measurement at or
    after a rung, against the values of the others at the same step. Trials pruned at earlier rungs count as
    worse; otherwise a trial would be compared with survivors only. Of equal trials, those that continued
    before keep their rank. No trial is stopped before MIN_TO_PRUNE trials are complete.
    """

    def __init__(self, curves: Curves, first: int, factor: int) -> None:
        super().__init__(curves, first)
        self.factor = factor

    @property
    def expected_share(self) -> float:
        """All trials reach the first rung; from rung to rung one in `factor` continues."""
        share, going, last, rung = 0.0, 1.0, 0, self.first
        while rung < self.curves.report_steps:
            share += going * (rung - last)
            going, last, rung = going / self.factor, rung, rung * self.factor
        return (share + going * (self.curves.report_steps - last)) / self.curves.report_steps

    def judge(self, trials: Sequence[FrozenTrial], trial: FrozenTrial) -> Stop | None:
        """Stops a trial that is not among the best at a rung, once enough trials are complete."""
        return self.among(trials, trial) if _enough_finished(trials) else None

    def among(self, trials: Sequence[FrozenTrial], trial: FrozenTrial) -> Stop | None:
        """Stops a trial that is not among the best at a rung, however few trials are complete."""
        step, value = last_step(trial), self.curves.current(trial)
        before = max((each for each in trial.intermediate_values if each < step), default=0)
        if self._rung(step) == self._rung(before):
            return None
        others = [each for each in trials if each.number != trial.number]
        rivals, values = self.curves.at(step, others)
        losers = sum(_was_stopped(each) and last_step(each) < step for each in others)
        best = max(1, (len(rivals) + losers + 1) // self.factor)
        continued = np.array([not self._stopped_at(each, step) for each in rivals], dtype=bool)
        ahead = np.flatnonzero((values > value) | ((values == value) & continued))
        if len(ahead) < best:
            return None
        last = ahead[np.argsort(-values[ahead], kind="stable")[best - 1]]
        return self.behind(rivals[last], trial)

    def _stopped_at(self, trial: FrozenTrial, step: int) -> bool:
        """Whether the trial was stopped at the rung of `step`."""
        return _was_stopped(trial) and self._rung(last_step(trial)) == self._rung(step)

    def _rung(self, step: int) -> int:
        """How many rungs lie at or before `step`."""
        return 0 if step < self.first else 1 + int(math.log(step / self.first, self.factor) + 1e-9)


class Hyperband(Pruner):
    """Successive halving in several brackets that differ in their first rung (arXiv 1603.06560).

    A trial's bracket follows from its number. Trials are compared within their bracket, once MIN_TO_PRUNE
    trials of the study are complete.
    """

    def __init__(self, curves: Curves, first: int, factor: int) -> None:
        super().__init__(curves, first)
        count = 1 + max(0, int(math.log(curves.report_steps / first, factor) + 1e-9))
        self._brackets = [
            SuccessiveHalving(curves, first * factor**bracket, factor) for bracket in range(count)
        ]

    @property
    def expected_share(self) -> float:
        """The mean over the brackets."""
        return sum(bracket.expected_share for bracket in self._brackets) / len(self._brackets)

    def judge(self, trials: Sequence[FrozenTrial], trial: FrozenTrial) -> Stop | None:
        """Judges the trial within its bracket."""
        if not _enough_finished(trials):
            return None
        count = len(self._brackets)
        bracket = trial.number % count
        mates = [each for each in trials if each.number % count == bracket]
        return self._brackets[bracket].among(mates, trial)


class Median(Pruner):
    """Stops trials below the median of earlier ones at the same step (Vizier, KDD 2017), by Optuna."""

    def __init__(self, curves: Curves, first: int, n_startup_trials: int) -> None:
        super().__init__(curves, first)
        self._optuna = MedianPruner(n_startup_trials=n_startup_trials, n_warmup_steps=first)

    @property
    def expected_share(self) -> float:
        """Half of the trials stop at the first decision."""
        return (1 + min(1.0, self.first / self.curves.report_steps)) / 2

    def judge(self, trials: Sequence[FrozenTrial], trial: FrozenTrial) -> Stop | None:
        """Stops the trial if Optuna's pruner does; names the best trial at the same step."""
        step, others = last_step(trial), [each for each in trials if each.number != trial.number]
        memory = optuna.create_study(direction=self.curves.direction)
        memory.add_trials([_known_at(step, each) for each in others])
        if not self._optuna.prune(memory, trial):
            return None
        rivals, values = self.curves.at(step, others)
        return self.behind(rivals[int(np.argmax(values))], trial)


def _known_at(step: int, trial: FrozenTrial) -> FrozenTrial:
    """The trial as Optuna's pruner needs it: with its final value at `step`, if it was complete before."""
    if trial.state != TrialState.COMPLETE or trial.value is None or last_step(trial) >= step:
        return trial
    known = copy(trial)
    known.intermediate_values = {**trial.intermediate_values, step: trial.value}
    return known


def _enough_finished(trials: Sequence[FrozenTrial]) -> bool:
    return sum(each.state == TrialState.COMPLETE for each in trials) >= MIN_TO_PRUNE


def _was_stopped(trial: FrozenTrial) -> bool:
    """Whether a pruner stopped it: a trial that a user ended or that ran out of memory has END_ATTR."""
    return trial.state == TrialState.PRUNED and END_ATTR not in trial.user_attrs


_FIRST_OPTIONS = ("min_resource", "n_warmup_steps")
"""Measurements before the first decision; a pruner has one of them or none."""


def require_decisions(spec: StudySpec) -> None:
    """Raises SpecError if the first decision would come when every trial has ended.

    Call it for a new study, when the defaults are known that depend on the data.
    """
    steps = report_steps_of(spec)
    for name in _FIRST_OPTIONS:
        if (first := int(spec.search.pruner_options.get(name, 0))) >= steps:
            rule = f"must be below a trial's number of measurements, {steps}, got {first}"
            way_out = "no trial would be stopped; lower it, or say pruner: none"
            raise SpecError([Problem(0, dotted(("search", "pruner", name)), f"{rule}: {way_out}")])


def make_pruner(method: SearchMethod, curves: Curves, warmup: float) -> Pruner:
    """The study's pruner.

    Args:
        method: names the pruner and its options.
        curves: of the study.
        warmup: the largest share of a trial's steps in which its learning rate rises.

    Raises:
        KeyError: no such pruner; the spec has checked the name.
    """
    options: Mapping[str, Value] = method.pruner_options
    first = max(int(options.get(name, 0)) for name in _FIRST_OPTIONS)
    if first == 0:
        first = max(math.ceil(FIRST_RUNG * curves.report_steps), math.floor(warmup * curves.report_steps) + 1)
    factor = int(options.get("reduction_factor", 3))
    makers: dict[str, Callable[[], Pruner]] = {
        "successive_halving": lambda: SuccessiveHalving(curves, first, factor),
        "hyperband": lambda: Hyperband(curves, first, factor),
        "median": lambda: Median(curves, first, int(options.get("n_startup_trials", 5))),
        "none": lambda: Never(curves, first),
    }
    return makers[method.pruner]()


def expected_passes(spec: StudySpec) -> dict[str, float]:
    """How often all trials of the study together go over the rows of each split.

    The first few of them are not pruned. Early stops are not foreseen, so it may be less.
    """
    curves = Curves(report_steps_of(spec), maximize=True)
    pruner = make_pruner(spec.search, curves, spec.space.ends("warmup_ratio")[1])
    whole = min(spec.budget.trials, MIN_TO_PRUNE)
    trials = whole + (spec.budget.trials - whole) * pruner.expected_share
    ends = [int(epochs) for epochs in spec.space.ends("epochs")]
    evaluations = [measurements_of(spec.search, epochs) for epochs in ends]
    return {"train": trials * sum(ends) / 2, "validation": trials * sum(evaluations) / 2}
