"""Decides which trials stop early."""

import math
from collections.abc import Callable, Mapping
from typing import cast

from optuna import Study
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from autoft.spec.space import Value
from autoft.spec.study import SearchMethod


def make_pruner(method: SearchMethod, grid: int) -> BasePruner:
    """The study's pruner; all of its state is in the study, so it survives a restart.

    Args:
        method: names the pruner and its options.
        grid: measurements of the longest trial, given to the pruner as the largest resource instead of
            letting it guess from what has finished.

    Raises:
        KeyError: no such pruner; the spec has checked the name.
    """
    return _PRUNERS[method.pruner](method.pruner_options, grid)


class _EqualHalving(SuccessiveHalvingPruner):
    """Optuna's successive halving, between trials whose measurements need not lie on the same steps.

    Optuna judges a trial at its first report at or after a rung, and compares the values with which the
    others passed that rung, wherever they did. Here they count with their values at the trial's own step.
    Where every trial reports at the rung itself, the two are the same.

    Asked twice for one report, because the search was killed after the first time, it answers the same.
    """

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether the trial stops at its last report."""
        if trial.last_step is None:
            return False
        self._forget_rungs_of_last_report(trial)
        return super().prune(cast(Study, _SeenFrom(study, trial, trial.last_step)), trial)

    def _forget_rungs_of_last_report(self, trial: FrozenTrial) -> None:
        """In the copy at hand: what an answer that got lost has noted is noted again."""
        assert self._min_resource is not None  # `make_pruner` gives it
        before = max((step for step in trial.intermediate_values if step != trial.last_step), default=0)
        rung = 0
        while before >= self._min_resource * self._reduction_factor ** (self._min_early_stopping_rate + rung):
            rung += 1
        while (key := f"completed_rung_{rung}") in trial.system_attrs:
            del trial.system_attrs[key]
            rung += 1


class _SeenFrom:
    """What successive halving asks of a study and of its storage, as it looks from one step of a trial."""

    def __init__(self, study: Study, trial: FrozenTrial, step: int) -> None:
        self.direction, self._storage = study.direction, self
        self._study, self._trial, self._step = study, trial, step

    def set_trial_system_attr(self, trial_id: int, key: str, value: float) -> None:
        """The trial completes a rung; noted in the copy at hand too, so that it need not be read again."""
        self._study._storage.set_trial_system_attr(trial_id, key, value)
        self._trial.system_attrs[key] = value

    def get_trials(self, deepcopy: bool = True) -> list["_Competitor"]:
        """The trials that can be compared at the step."""
        return [
            _Competitor(trial.system_attrs, value)
            for trial in self._study.get_trials(deepcopy=False)
            if trial.number != self._trial.number and (value := self._value(trial)) is not None
        ]

    def _value(self, trial: FrozenTrial) -> float | None:
        """Measured at the step, or the worst where the trial was stopped before it; else None.

        Without the stopped ones a trial that is judged after a rung would have to be among the best of
        those that had gone on from it, while the others only had to be among the best of all.
        """
        value = trial.intermediate_values.get(self._step)
        if value is not None:
            return value if math.isfinite(value) else None
        if trial.state != TrialState.PRUNED or (trial.last_step or 0) > self._step:
            return None
        return -math.inf if self.direction == StudyDirection.MAXIMIZE else math.inf


class _Competitor:
    """What successive halving asks of another trial: one value, at every rung that it completed.

    One is made for each trial of the study at each rung, so it copies nothing.
    """

    __slots__ = ("_completed", "_value")

    def __init__(self, completed: Mapping[str, object], value: float) -> None:
        self._completed, self._value = completed, value

    @property
    def system_attrs(self) -> "_Competitor":
        return self

    def __contains__(self, rung: str) -> bool:
        return rung in self._completed

    def __getitem__(self, rung: str) -> float:
        return self._value


class _EqualHyperband(HyperbandPruner):
    """Optuna's brackets, each with the successive halving above."""

    def _try_initialization(self, study: Study) -> None:
        super()._try_initialization(study)
        self._pruners = [
            _EqualHalving(
                min_resource=self._min_resource,
                reduction_factor=self._reduction_factor,
                min_early_stopping_rate=bracket,
            )
            for bracket in range(len(self._pruners))
        ]


def _successive_halving(options: Mapping[str, Value], grid: int) -> BasePruner:
    """Asynchronous successive halving (ASHA, arXiv 1810.05934) with one bracket."""
    return _EqualHalving(
        min_resource=int(options.get("min_resource", 1)),
        reduction_factor=int(options.get("reduction_factor", 3)),
        min_early_stopping_rate=0,
        bootstrap_count=0,
    )


def _hyperband(options: Mapping[str, Value], grid: int) -> BasePruner:
    """Several brackets that differ in how early they stop (arXiv 1603.06560)."""
    return _EqualHyperband(
        min_resource=int(options.get("min_resource", 1)),
        max_resource=grid,
        reduction_factor=int(options.get("reduction_factor", 3)),
    )


def _median(options: Mapping[str, Value], grid: int) -> BasePruner:
    """Stops what is below the median of the earlier trials at the same step (Vizier, KDD 2017).

    Optuna leaves out those without a measurement at that step; without any, it stops nothing.
    """
    return MedianPruner(
        n_startup_trials=int(options.get("n_startup_trials", 5)),
        n_warmup_steps=int(options.get("n_warmup_steps", 0)),
    )


def _none(options: Mapping[str, Value], grid: int) -> BasePruner:
    return NopPruner()


_PRUNERS: dict[str, Callable[[Mapping[str, Value], int], BasePruner]] = {
    "successive_halving": _successive_halving,
    "hyperband": _hyperband,
    "median": _median,
    "none": _none,
}
