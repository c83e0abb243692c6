import optuna
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial

from autoft.study.importance import FEWEST, importances


def study_of(trials, *names):
    """The score is that of the first parameter alone."""
    study = optuna.create_study(direction="maximize")
    for number in range(trials):
        params = {name: (number * 0.618 * (place + 1)) % 1 for place, name in enumerate(names)}
        score = params[names[0]]
        trial = create_trial(
            value=score,
            params=params,
            distributions={name: FloatDistribution(0, 1) for name in names},
            intermediate_values={1: score},
        )
        study.add_trial(trial)
    return study


def test_what_decides_alone_is_first_and_surely_so():
    found = importances(study_of(40, "decides", "idle"))
    assert (found.evaluator, found.trials) == ("PED-ANOVA", 40)
    first, second = found.of
    assert (first.name, second.name) == ("decides", "idle")
    assert first.low > second.high
    assert first.share + second.share == 1
    assert all(each.low <= each.share <= each.high for each in found.of)


def test_the_same_study_has_the_same_intervals():
    assert importances(study_of(20, "x", "y")) == importances(study_of(20, "x", "y"))


def test_a_few_trials_or_a_single_parameter_say_nothing():
    assert importances(study_of(FEWEST - 1, "x", "y")) is None
    assert importances(study_of(40, "x")) is None
