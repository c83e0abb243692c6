from dataclasses import replace

import pytest

from autoft.errors import SpecError
from autoft.spec.default_domains import deepest, fit_domains
from autoft.spec.first import require_first_searched
from autoft.spec.space import Choice, Range, SearchSpace

from .asked import spec


def domain(space: SearchSpace, name: str) -> object:
    return next(p.domain for p in space.parameters if p.name == name)


@pytest.mark.parametrize(
    ("blocks", "depths"),
    [
        (1, (0, 1, "all")),
        (2, (0, 1, "all")),
        (3, (0, 1, 2, "all")),
        (6, (0, 1, 2, 4, "all")),
        (12, (0, 2, 4, 8, "all")),
        (24, (0, 4, 8, 16, "all")),
    ],
)
def test_depths_that_nobody_asked_for_are_shares_of_the_blocks(blocks: int, depths: tuple[object]) -> None:
    assert domain(fit_domains(spec().space, blocks, [5e-5]), "unfreeze_depth") == Choice(depths)


def test_rates_that_nobody_asked_for_lie_around_the_recommended_ones() -> None:
    rates = domain(fit_domains(spec().space, 6, [1.6e-4]), "learning_rate")
    assert rates == Range(2e-5, 1.3e-3, integer=False, log=True)
    rates = domain(fit_domains(spec().space, 6, [1.6e-4, 2.2e-5]), "learning_rate")  # of two models
    assert rates == Range(2.7e-6, 1.3e-3, integer=False, log=True)


def test_what_is_tried_first_must_be_searched_once_the_models_are_known() -> None:
    asked = spec(first=[{"unfreeze_depth": 3, "learning_rate": 1e-4}, {"learning_rate": 5e-3}])
    with pytest.raises(SpecError) as told:
        require_first_searched(replace(asked, space=fit_domains(asked.space, 6, [1.6e-4])))
    assert [str(each) for each in told.value.problems] == [
        "space: first[0].unfreeze_depth: must be within what is searched (0, 1, 2, 4 or all), got 3; widen "
        "space.unfreeze_depth",
        "space: first[1].learning_rate: must be within what is searched (2e-5 to 0.0013, log), got 0.005; "
        "widen space.learning_rate",
    ]
    require_first_searched(replace(asked, space=fit_domains(asked.space, 18, [6.4e-4])))


def test_what_the_user_asked_to_be_searched_stays() -> None:
    asked = spec(space={"unfreeze_depth": [0, 24], "learning_rate": {"low": 1e-3, "high": 1e-2}})
    assert fit_domains(asked.space, 2, [5e-5]) == asked.space


def test_the_deepest_depth_asked_for() -> None:
    assert deepest(spec()) == 0  # what is there by default is nobody's wish
    assert deepest(spec(space={"unfreeze_depth": [0, 8, "all"]})) == 8
    assert deepest(spec(space={"unfreeze_depth": 3})) == 3
    assert deepest(spec(space={"unfreeze_depth": {"low": 0, "high": 6}})) == 6
    assert deepest(spec(first=[{"unfreeze_depth": 4}])) == 4
