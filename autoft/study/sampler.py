"""Proposes parameters, the same ones in every run of the same study."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import optuna
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, QMCSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from autoft.spec.space import SearchSpace, Value
from autoft.spec.study import SearchMethod
from autoft.study.curves import MIN_TO_EXTRAPOLATE, Curves
from autoft.study.lessons import Lesson
from autoft.study.suggest import distributions, suggest
from autoft.study.trial_config import trial_seed

LEARNING = ("tpe", "gp")
"""The samplers that learn from results; the others are given no trials of earlier studies either."""

MOST = 200
"""The most trials of its own study that the sampler is given."""


def propose(
    method: SearchMethod,
    space: SearchSpace,
    curves: Curves,
    trials: Callable[[], Sequence[FrozenTrial]],
    number: int,
    lessons: Sequence[Lesson] = (),
    fixed: Mapping[str, Value] | None = None,
) -> dict[str, Value]:
    """The parameters of trial `number`, given the `trials` that were begun before it.

    Values in `fixed` are taken as they are; the others that then count are proposed. Optuna's samplers model
    all parameters together but cannot be asked what goes well with a given value.

    The sampler is asked on a study in memory, which is created anew for each trial and in which every
    measured trial has the value that it would have at its full budget (see `evidence`). Optuna's own TPE
    ranks every stopped trial below every complete one, whatever their values, and ignores the values of
    running ones. Trials of earlier studies come first, because TPE gives less weight to older trials.

    Asked twice it answers the same: all that it depends on is in the arguments.
    """
    memory = optuna.create_study(direction=curves.direction, sampler=make_sampler(method, number))
    if method.sampler != "random":
        begun = trials()
        if method.sampler in LEARNING:
            memory.add_trials(remembered(lessons, space, curves, begun))
        memory.add_trials(evidence(curves, begun))
    if fixed:
        memory.enqueue_trial(dict(fixed))
    return suggest(memory.ask(), space)


def evidence(curves: Curves, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials as they are given to the sampler.

    A measured trial is COMPLETE, with its value at its full budget. One that ran out of memory is given as a
    violated constraint, not as a bad value. One that runs and was not measured stays RUNNING, so that
    parallel workers do not try the same; so does every running one before MIN_TO_EXTRAPOLATE are complete,
    and one that was ended by hand before is left out. Failed trials are left out. Of more than MOST trials
    only the best (a quarter of MOST) and the latest are given, so that a proposal costs the same however
    many there are.
    """
    few = sum(trial.state == TrialState.COMPLETE for trial in trials) < MIN_TO_EXTRAPOLATE
    ends = curves.at_full_budget([trial for trial in trials if trial.state != TrialState.FAIL])
    given = []
    for trial in _most(trials, ends):
        made = partial(create_trial, params=trial.params, distributions=trial.distributions)
        if _impossible(trial):
            given.append(made(state=TrialState.PRUNED, constraints=trial.constraints))
        elif trial.number in ends and (trial.state == TrialState.COMPLETE or not few):
            given.append(made(value=curves.value(ends[trial.number])))
        elif trial.state == TrialState.RUNNING:
            given.append(made(state=TrialState.RUNNING))
    return given


def _most(trials: Sequence[FrozenTrial], ends: Mapping[int, float]) -> list[FrozenTrial]:
    known = [
        trial
        for trial in trials
        if trial.number in ends or trial.state == TrialState.RUNNING or _impossible(trial)
    ]
    if len(known) <= MOST:
        return known
    best = sorted(ends, key=lambda number: -ends[number])[: MOST // 4]
    latest = [trial.number for trial in known if trial.number not in best][-(MOST - len(best)) :]
    kept = {*best, *latest}
    return [trial for trial in known if trial.number in kept]


def _impossible(trial: FrozenTrial) -> bool:
    return any(value > 0 for value in trial.constraints.values())


def remembered(
    lessons: Sequence[Lesson], space: SearchSpace, curves: Curves, trials: Sequence[FrozenTrial]
) -> list[FrozenTrial]:
    """The trials of earlier studies as the sampler is given them: COMPLETE, each with a value of this study.

    A trial's place among the finished trials of its own study, pulled toward the middle by how unlike the
    studies are, is looked up among the finished trials of this one. Before MIN_TO_EXTRAPOLATE of these have
    finished it gets its own score, pulled toward its study's median. The more trials have finished here, the
    fewer earlier ones are used (`Lesson.informing`).
    """
    scores = [curves.current(trial) for trial in trials if trial.state == TrialState.COMPLETE]
    finished = np.array([value for value in scores if math.isfinite(value)])
    given: list[FrozenTrial] = []
    for lesson in reversed(lessons):  # the most alike last, because TPE gives less weight to older trials
        alike = lesson.likeness.value
        for each in lesson.informing(len(finished)):
            value = lesson.middle + alike * (each.score - lesson.middle)
            if len(finished) >= MIN_TO_EXTRAPOLATE:
                place = 0.5 + alike * (each.quantile - 0.5)
                # Hazen's places are those of `learn.quantile`: the best of n is at 1 - 1 / 2n.
                value = curves.value(float(np.quantile(finished, place, method="hazen")))
            domains = distributions(space, each.params)
            given.append(create_trial(value=value, params=each.params, distributions=domains))
    return given


def make_sampler(method: SearchMethod, number: int) -> BaseSampler:
    """The sampler for trial `number`, seeded from the study's seed and that number.

    Raises:
        KeyError: no such sampler; the spec has checked the name.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return _SAMPLERS[method.sampler](method, number)


def _tpe(method: SearchMethod, number: int) -> BaseSampler:
    """Tree-structured Parzen estimators (Bergstra et al. 2011).

    Multivariate and grouped, so that parameters that count together are proposed together in a
    conditional space; running trials count as bad ones, so that parallel workers do not try the same.
    """
    startup = int(method.sampler_options.get("n_startup_trials", 10))
    return TPESampler(
        n_startup_trials=startup,
        multivariate=True,
        group=True,
        constant_liar=True,
        seed=_seed(method, number),
    )


def _random(method: SearchMethod, number: int) -> BaseSampler:
    return RandomSampler(seed=_seed(method, number))


def _gp(method: SearchMethod, number: int) -> BaseSampler:
    """A Gaussian process over the parameters that every trial has; the others are drawn at random."""
    seed = _seed(method, number)
    startup = int(method.sampler_options.get("n_startup_trials", 10))
    random = RandomSampler(seed=seed)
    return GPSampler(
        n_startup_trials=startup, seed=seed, independent_sampler=random, warn_independent_sampling=False
    )


def _qmc(method: SearchMethod, number: int) -> BaseSampler:
    """A scrambled Sobol sequence: one seed for the whole study, because its points belong together.

    Only conditional parameters, which the sequence's points do not hold, are drawn with the trial's own seed.
    """
    return _PointOfTrial(
        number,
        scramble=True,
        seed=method.seed,
        independent_sampler=_random(method, number),
        warn_independent_sampling=False,
    )


class _PointOfTrial(QMCSampler):
    """Gives trial `number` the point of that number, and looks only at trials that were measured.

    Optuna counts the points that were asked for, and looks at what running trials have drawn so far: after
    an interruption it would continue with other points.
    """

    def __init__(self, number: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._number = number

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The search space of the first trial; empty until one has ended."""
        over = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        first = min(over, key=lambda each: each.number, default=None)
        distributions = first.distributions if first else {}
        return {name: each for name, each in distributions.items() if not each.single()}

    def _find_sample_id(self, study: Study, search_space: dict[str, BaseDistribution]) -> int:
        return self._number


def _seed(method: SearchMethod, number: int) -> int:
    return trial_seed(method.seed, number)


_SAMPLERS: dict[str, Callable[[SearchMethod, int], BaseSampler]] = {
    "tpe": _tpe,
    "random": _random,
    "gp": _gp,
    "qmc": _qmc,
}
