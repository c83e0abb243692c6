"""Proposes parameters, the same ones in every run of the same study."""

import warnings
from collections.abc import Callable

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, QMCSampler, RandomSampler, TPESampler

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
        return _SAMPLERS[method.sampler](method, trial_seed(method.seed, number))


def _tpe(method: SearchMethod, seed: int) -> BaseSampler:
    """Tree-structured Parzen estimators (Bergstra et al. 2011).

    Multivariate and grouped, so that parameters that count together are proposed together in a
    conditional space; running trials count as bad ones, so that parallel workers do not try the same.
    """
    startup = int(method.sampler_options.get("n_startup_trials", 10))
    return TPESampler(n_startup_trials=startup, multivariate=True, group=True, constant_liar=True, seed=seed)


def _random(method: SearchMethod, seed: int) -> BaseSampler:
    return RandomSampler(seed=seed)


def _gp(method: SearchMethod, seed: int) -> BaseSampler:
    """A Gaussian process over the parameters that every trial has; the others are drawn at random."""
    startup = int(method.sampler_options.get("n_startup_trials", 10))
    random = RandomSampler(seed=seed)
    return GPSampler(
        n_startup_trials=startup, seed=seed, independent_sampler=random, warn_independent_sampling=False
    )


def _qmc(method: SearchMethod, seed: int) -> BaseSampler:
    """A scrambled Sobol sequence: one seed for the whole study, because its points belong together.

    Only what no point of the sequence holds, a conditional parameter, is drawn with the trial's own seed.
    """
    return QMCSampler(
        scramble=True,
        seed=method.seed,
        independent_sampler=RandomSampler(seed=seed),
        warn_independent_sampling=False,
    )


_SAMPLERS: dict[str, Callable[[SearchMethod, int], BaseSampler]] = {
    "tpe": _tpe,
    "random": _random,
    "gp": _gp,
    "qmc": _qmc,
}
