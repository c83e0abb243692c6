"""Asks the sampler for a trial's parameters: define by run, parents before children."""

from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage

from autoft.spec.space import Choice, Parameter, SearchSpace, Value


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


def suggest_again(trial: optuna.Trial, space: SearchSpace) -> dict[str, Value]:
    """As `suggest`, for a trial that was interrupted there: all of it is drawn from the beginning.

    A sampler that draws one parameter after another would else begin its numbers with the first missing one.
    Where other trials have ended meanwhile, so that something else is drawn, what is stored stays, and only
    what is missing is drawn.
    """
    drawn, storage = trial._cached_frozen_trial, trial.storage
    held = dict(drawn.params), dict(drawn.distributions)
    writes = _Writes(storage)
    trial.storage = writes  # type: ignore[assignment]  # stands for it
    drawn.params, drawn.distributions = {}, {}
    again = suggest(trial, space)
    trial.storage = storage
    if any(name not in again or again[name] != value for name, value in held[0].items()):
        drawn.params, drawn.distributions = held
        return suggest(trial, space)
    for name, arguments in writes.params.items():
        if name not in held[0]:
            storage.set_trial_param(*arguments)
    return again


class _Writes:
    """A storage that keeps a trial's parameters back."""

    def __init__(self, storage: BaseStorage) -> None:
        self._storage = storage
        self.params: dict[str, tuple[int, str, float, BaseDistribution]] = {}

    def set_trial_param(self, trial_id: int, name: str, value: float, domain: BaseDistribution) -> None:
        self.params[name] = trial_id, name, value, domain

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)
