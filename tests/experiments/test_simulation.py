"""The simulator's clock and its peers, on curves that are known."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from simulate import _waste
from simulation.strategies import OneEpochThenBest, Optuna, RayAsha
from simulation.world import search

HOUR = 3600.0


class Curves:
    """Stands in for the surrogate: a trial rises evenly to a height that follows from its learning rate."""

    def height(self, values: Mapping[str, Any]) -> float:
        return float(1 + np.log10(values["learning_rate"]) / 6)

    def show(self, values: Mapping[str, Any], random: np.random.Generator) -> np.ndarray:
        return self.height(values) * np.arange(1, 13) / 12

    def truths(self, values: Mapping[str, Any]) -> np.ndarray:
        return self.show(values, np.random.default_rng(0)) - 0.01

    def truth(self, values: Mapping[str, Any]) -> float:
        return self.height(values) - 0.01

    def seconds(self, values: Mapping[str, Any]) -> float:
        return HOUR


def configuration(rate: float, epochs: int = 4) -> dict[str, Any]:
    usual = {"unfreeze_depth": "all", "dropout": 0.1, "weight_decay": 0.01, "batch_size": 16}
    return {**usual, "learning_rate": rate, "epochs": epochs}


def run(strategy: Any, hours: float, workers: int = 1, most: int | None = None) -> Any:
    return search(Curves(), lambda clock: strategy, 0, workers, hours * HOUR, most)  # type: ignore[arg-type]


def test_one_epoch_is_an_epoch_and_a_paused_trial_is_paid_for_once() -> None:
    first = [configuration(1e-3, epochs=2), configuration(1e-4, epochs=4), configuration(2e-5, epochs=12)]
    history = run(OneEpochThenBest(0, first, tried=3, kept=1), hours=1.2)
    assert [(each.trial.number, each.share) for each in history.ended] == [
        (0, 6 / 12),
        (1, 3 / 12),
        (2, 1 / 12),
        (0, 1.0),  # the best after its epoch goes on to its end
    ]
    assert history.ended[-1].spent_s == pytest.approx((6 + 3 + 1 + 6) / 12 * HOUR)
    assert _waste(history)["bought_nothing"] == pytest.approx((3 + 1) / (12 + 3 + 1))


def test_a_trial_that_was_stopped_wins_with_the_model_that_it_has() -> None:
    first = [configuration(1e-4), configuration(1e-3), configuration(2e-5)]
    history = run(RayAsha(0, first, grace=4), hours=2.3, most=3)
    assert [(each.trial.number, each.share) for each in history.ended] == [(0, 1.0), (1, 1.0), (2, 4 / 12)]
    curves = Curves()
    truths = [truth for _, truth in history.incumbents]
    assert truths[11] == pytest.approx(curves.truth(first[0]))
    assert truths[-1] == pytest.approx(curves.truth(first[1]))
    assert max(np.diff(truths)) < 0.05  # no jump to the end of a trial that has not come there


def test_optuna_names_a_complete_trial_and_time_is_what_the_workers_took() -> None:
    import optuna

    first = [configuration(1e-4), configuration(1e-3)]
    peer = Optuna(optuna.samplers.RandomSampler(seed=0), optuna.pruners.NopPruner(), first)
    history = run(peer, hours=2.0, workers=2, most=2)
    assert [each.trial.number for each in history.ended] == [0, 1]
    assert history.incumbents[0][0] == pytest.approx((11 + 12) / 12 * HOUR)  # side by side
    assert peer.winner() == 1
    assert np.isnan(history.truth_at(np.array([0.5 * HOUR]))[0])  # nothing has won before
