"""What Optuna draws of a study: as many points as there are trials."""

import matplotlib
import optuna
import pytest

from autoft.study.figures import figures

matplotlib.use("Agg")
RATES = {"rate": optuna.distributions.FloatDistribution(0.0, 1.0)}


@pytest.fixture
def study():
    """Two complete trials and one that was stopped after half of its training."""
    study = optuna.create_study(direction="maximize")
    for state, curve in (
        (optuna.trial.TrialState.COMPLETE, [0.2, 0.4]),
        (optuna.trial.TrialState.COMPLETE, [0.4, 0.8]),
        (optuna.trial.TrialState.PRUNED, [0.1]),
    ):
        study.add_trial(
            optuna.trial.create_trial(
                state=state,
                value=curve[-1],
                params={"rate": curve[0]},
                distributions=RATES,
                intermediate_values=dict(enumerate(curve, start=1)),
            )
        )
    return study


def points(figure):
    return sum(len(each.get_offsets()) for each in figure.axes[0].collections)


def test_the_history_has_complete_trials_and_the_slices_have_all(study):
    found = figures(study, "accuracy")
    assert list(found) == ["history", "curves", "slices"]
    assert points(found["history"]) == 2
    assert points(found["slices"]) == 3
    assert len(found["curves"].axes[0].lines) == 3
    assert found["history"].axes[0].get_ylabel() == "accuracy"
    assert found["slices"].axes[0].get_ylabel() == "likely final accuracy"


def test_before_a_measurement_there_are_none():
    assert figures(optuna.create_study(), "accuracy") == {}
