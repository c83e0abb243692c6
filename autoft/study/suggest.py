"""Asks the sampler for a trial's parameters: define by run, parents before children."""

import warnings
from collections.abc import Mapping

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, PartialFixedSampler, RandomSampler
from optuna.trial import FrozenTrial

from autoft.spec.space import Choice, Parameter, Range, SearchSpace, Value


def suggest(trial: optuna.Trial, space: SearchSpace) -> dict[str, Value]:
    """The searched parameters that count in `trial`; one whose condition does not hold is not suggested."""
    params: dict[str, Value] = {}
    for parameter in space.parameters:
        if space.active(parameter, params):
            params[parameter.name] = _suggest_one(trial, parameter)
    return params


def _suggest_one(trial: optuna.Trial, parameter: Parameter) -> Value:
    name, domain = parameter.name, parameter.domain
    if isinstance(domain, Choice):
        chosen: Value = trial.suggest_categorical(name, domain.values)  # type: ignore[assignment]  # values hold no None
        return chosen
    if domain.integer:
        step = 1 if domain.step is None else int(domain.step)
        return trial.suggest_int(name, int(domain.low), int(domain.high), step=step, log=domain.log)
    return trial.suggest_float(name, domain.low, domain.high, step=domain.step, log=domain.log)


def distributions(space: SearchSpace, params: Mapping[str, Value]) -> dict[str, BaseDistribution]:
    """The distributions of a trial with these parameters, as `suggest` creates them."""
    return {each.name: _distribution(each.domain) for each in space.parameters if each.name in params}


def _distribution(domain: Choice | Range) -> BaseDistribution:
    if isinstance(domain, Choice):
        return CategoricalDistribution(domain.values)
    if domain.integer:
        step = 1 if domain.step is None else int(domain.step)
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log, step=step)
    return FloatDistribution(domain.low, domain.high, log=domain.log, step=domain.step)


def queued_params(trial: FrozenTrial) -> dict[str, Value]:
    """What `enqueue_trial` was given for this trial; empty if it was not queued."""
    return dict(trial.system_attrs.get("fixed_params", {}))


def fixed_to(params: Mapping[str, Value], seed: int) -> BaseSampler:
    """A sampler that proposes `params`, and draws what they leave out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return PartialFixedSampler(dict(params), RandomSampler(seed=seed))
