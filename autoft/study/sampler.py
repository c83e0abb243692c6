"""Proposes parameters, the same ones in every run of the same study."""

import warnings
from collections.abc import Callable
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, QMCSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from autoft.spec.study import SearchMethod
from autoft.study.config import trial_seed


def make_sampler(method: SearchMethod, number: int) -> BaseSampler:
    """The sampler for trial `number`.

    It is made anew for each trial, seeded from the study's seed and the trial's number: what it proposes
    depends on the study's trials only, not on how often the search was interrupted.

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

    Only what no point of the sequence holds, a conditional parameter, is drawn with the trial's own seed.
    """
    return _PointOfTrial(
        number,
        scramble=True,
        seed=method.seed,
        independent_sampler=_random(method, number),
        warn_independent_sampling=False,
    )


class _PointOfTrial(QMCSampler):
    """Gives trial `number` the point of that number, and looks only at trials that are over.

    Optuna counts the points that were asked for, and looks at what running trials have drawn so far: after
    an interruption it would go on with other points.
    """

    def __init__(self, number: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._number = number

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """That of the first trial; empty until one is over."""
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
