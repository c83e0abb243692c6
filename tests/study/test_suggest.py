"""Conditional parameters are suggested exactly when they count."""

import optuna
import pytest

from autoft.spec.space import Choice, Condition, Parameter, Range
from autoft.study.suggest import distributions, suggest

from .scripted import CONDITIONAL, make_spec


@pytest.mark.parametrize(
    ("depth", "names"),
    [
        (0, {"unfreeze_depth", "learning_rate"}),
        (2, {"unfreeze_depth", "learning_rate", "dropout"}),
        ("all", {"unfreeze_depth", "learning_rate", "dropout", "weight_decay"}),
    ],
)
def test_a_parameter_is_suggested_when_its_condition_holds(depth: object, names: set[str]) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.enqueue_trial({"unfreeze_depth": depth})
    trial = study.ask()
    assert suggest(trial, make_spec(parameters=CONDITIONAL).space).keys() == names
    assert trial.params.keys() == names


def test_a_condition_on_an_inactive_parent_sees_its_default() -> None:
    parents = [
        Parameter("lr_schedule", Choice(("linear", "cosine"))),
        Parameter("warmup_ratio", Choice((0.0, 0.3)), (Condition("lr_schedule", ("cosine",)),)),
        Parameter(
            "dropout", Range(0, 0.4, integer=False), (Condition("warmup_ratio", (0.1,)),)
        ),  # its default
    ]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.enqueue_trial({"lr_schedule": "linear"})
    assert suggest(study.ask(), make_spec(parameters=parents).space).keys() == {"lr_schedule", "dropout"}


def test_ranges_keep_their_nature() -> None:
    space = make_spec(
        parameters=[
            Parameter("batch_size", Range(8, 64, integer=True, step=8)),
            Parameter("epochs", Range(1, 8, integer=True, log=True)),
            Parameter("dropout", Range(0, 0.4, integer=False, step=0.1)),
        ]
    ).space
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(20):
        params = suggest(study.ask(), space)
        assert isinstance(params["batch_size"], int)
        assert params["batch_size"] % 8 == 0
        assert isinstance(params["epochs"], int)
        assert params["dropout"] in (0.0, 0.1, 0.2, pytest.approx(0.3), 0.4)


@pytest.mark.filterwarnings("ignore:The distribution is specified")  # of ends that are not on a step
def test_distributions_are_those_that_a_trial_gets() -> None:
    space = make_spec(
        parameters=[
            *CONDITIONAL,
            Parameter("batch_size", Range(8, 61, integer=True, step=8)),
            Parameter("epochs", Range(1, 8, integer=True, log=True)),
            Parameter("warmup_ratio", Range(0, 0.35, integer=False, step=0.1)),
        ]
    ).space
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(10):
        trial = study.ask()
        params = suggest(trial, space)
        assert distributions(space, params) == trial.distributions
