"""What is proposed depends on the study's trials only, not on how often the search was interrupted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from autoft.spec.space import Parameter, Range
from autoft.spec.study import SearchMethod
from autoft.study.curves import Curves
from autoft.study.identity import identity_of
from autoft.study.lessons import EarlierTrial, Lesson
from autoft.study.likeness import Likeness
from autoft.study.records import read_trials
from autoft.study.sampler import MOST, evidence, make_sampler, propose, remembered
from autoft.study.storage import open_study
from autoft.study.suggest import distributions, suggest
from autoft.study.tuner import Tuner

from .scripted import CONDITIONAL, make_spec, measurement

TRIALS = 12


def proposals(folder: Path, method: SearchMethod, sittings: list[int]) -> list[dict[str, Any]]:
    """The parameters of all trials; each session goes on to one of these totals. Scores follow a formula."""
    for total in sittings:
        spec = make_spec(trials=total, parameters=CONDITIONAL, search=method)
        study = open_study(spec, folder, identity_of(spec, "digest"))
        tuner = Tuner(study, spec, precision="fp32", callbacks=[], folder=folder, max_concurrent=1)
        while (next_up := tuner.next()) is not None:
            score = 0.5 - abs(next_up.config.learning_rate - 3e-4) * 100 + next_up.config.dropout / 10
            tuner.measured(next_up.number, 1, measurement(1, 1, score), "node")
            tuner.completed(next_up.number, 1)
    return [dict(trial.params) for trial in read_trials(study)]


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp", "qmc"])
def test_a_conditional_search_repeats_itself_across_restarts(sampler: str, tmp_path: Path) -> None:
    options = {"n_startup_trials": 5} if sampler in ("tpe", "gp") else {}
    method = SearchMethod(sampler=sampler, sampler_options=options, pruner="none", seed=3)
    whole = proposals(tmp_path / "whole", method, [TRIALS])
    assert proposals(tmp_path / "parts", method, [1, 7, TRIALS]) == whole
    assert len({tuple(sorted(params.items(), key=str)) for params in whole}) == TRIALS
    assert any("weight_decay" not in params for params in whole)
    assert any("weight_decay" in params for params in whole)


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
def test_another_seed_proposes_other_values(sampler: str, tmp_path: Path) -> None:
    first = proposals(tmp_path / "a", SearchMethod(sampler=sampler, pruner="none", seed=1), [4])
    second = proposals(tmp_path / "b", SearchMethod(sampler=sampler, pruner="none", seed=2), [4])
    assert all(
        one["learning_rate"] != other["learning_rate"] for one, other in zip(first, second, strict=True)
    )


def test_tpe_learns_what_scores(tmp_path: Path) -> None:
    # The score's maximum over the learning rate is at 3e-4; at random, log(lr) is uniform over two decades.
    method = SearchMethod(sampler="tpe", pruner="none", seed=3)
    late = [params["learning_rate"] for params in proposals(tmp_path, method, [36])[20:]]
    near = sum(1.5e-4 < rate < 6e-4 for rate in late) / len(late)
    assert near > 0.5  # at random it is log10(6 / 1.5) / 2 = 0.3


def trial(
    number: int, value: float, rate: float, state: TrialState = TrialState.COMPLETE, **told: Any
) -> FrozenTrial:
    made = create_trial(
        state=state,
        value=value if state == TrialState.COMPLETE else None,
        params={"learning_rate": rate},
        distributions={"learning_rate": FloatDistribution(1e-5, 1e-3, log=True)},
        **told,
    )
    made.number = number
    return made


def test_the_sampler_hears_every_trial_at_the_value_of_its_full_budget() -> None:
    curves = Curves(4, maximize=True)
    finished = [
        trial(n, 0.5 + n / 10, 1e-4, intermediate_values={2: n / 10, 4: 0.5 + n / 10}) for n in range(4)
    ]
    stopped = trial(4, 0, 2e-4, TrialState.PRUNED, intermediate_values={2: 0.05})
    running = trial(5, 0, 3e-4, TrialState.RUNNING, intermediate_values={2: 0.15})
    begun = trial(6, 0, 4e-4, TrialState.RUNNING)
    failed = trial(7, 0, 5e-4, TrialState.FAIL, intermediate_values={2: 0.9})
    memory = trial(8, 0, 6e-4, TrialState.PRUNED, constraints={"memory": 1.0})
    heard = evidence(curves, [*finished, stopped, running, begun, failed, memory])
    told = [(each.state.name, each.value, each.params["learning_rate"]) for each in heard]
    assert told == [
        *(("COMPLETE", pytest.approx(0.5 + n / 10), 1e-4) for n in range(4)),
        ("COMPLETE", pytest.approx(0.55), 2e-4),  # on the line through the finished ones
        ("COMPLETE", pytest.approx(0.65), 3e-4),
        ("RUNNING", None, 4e-4),
        ("PRUNED", None, 6e-4),
    ]
    assert heard[-1].constraints == {"memory": 1.0}


def test_where_less_is_better_the_sampler_hears_the_values_as_they_are() -> None:
    heard = evidence(Curves(2, maximize=False), [trial(0, 0.3, 1e-4, intermediate_values={1: 0.4, 2: 0.3})])
    assert [each.value for each in heard] == [0.3]


def test_of_many_trials_the_best_and_the_latest_are_heard() -> None:
    curves = Curves(1, maximize=True)
    many = [trial(n, n / 1e3, 1e-4, intermediate_values={1: (1000 - n) / 1e3}) for n in range(1000)]
    values = [each.value for each in evidence(curves, many)]
    assert len(values) == MOST
    assert values[: MOST // 4] == [(1000 - n) / 1e3 for n in range(MOST // 4)]
    assert values[-1] == pytest.approx(1 / 1e3)


def test_a_trial_that_was_stopped_while_it_was_ahead_ranks_above_a_bad_one_that_finished() -> None:
    """Optuna's TPE alone does the opposite: it ranks every COMPLETE trial above every PRUNED one."""
    bad = [trial(n, 0.2, 2e-5, intermediate_values={1: 0.1, 2: 0.2}) for n in range(6)]
    good = [trial(n, 0, 8e-4, TrialState.PRUNED, intermediate_values={1: 0.6}) for n in range(6, 12)]
    method, curves = SearchMethod(sampler="tpe", seed=1), Curves(2, maximize=True)
    space = make_spec(
        parameters=[Parameter("learning_rate", Range(1e-5, 1e-3, integer=False, log=True))]
    ).space
    rates = [
        propose(method, space, curves, lambda: [*bad, *good], number)["learning_rate"]
        for number in range(12, 42)
    ]
    assert sum(rate > 1e-4 for rate in rates) > 25
    alone = optuna.create_study(direction="maximize", sampler=make_sampler(method, 12))
    alone.add_trials([*bad, *good])
    assert sum(suggest(alone.ask(), space)["learning_rate"] < 1e-4 for _ in range(30)) > 20


def test_before_a_curve_can_be_extrapolated_a_running_trial_is_only_known_to_run() -> None:
    finished = [trial(n, 0.9, 1e-4, intermediate_values={1: 0.1, 2: 0.9}) for n in range(3)]
    running = trial(3, 0, 3e-4, TrialState.RUNNING, intermediate_values={1: 0.1})
    by_hand = trial(5, 0, 3e-4, TrialState.PRUNED, intermediate_values={1: 0.1})
    heard = evidence(Curves(2, maximize=True), [*finished, running, by_hand])
    assert [each.state.name for each in heard] == ["COMPLETE"] * 3 + ["RUNNING"]
    heard = evidence(
        Curves(2, maximize=True), [*finished, trial(4, 0.9, 1e-4, intermediate_values={2: 0.9}), running]
    )
    assert [each.state.name for each in heard] == ["COMPLETE"] * 5


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp", "qmc"])
def test_asked_twice_a_proposal_is_the_same(sampler: str) -> None:
    method = SearchMethod(sampler=sampler, sampler_options={"n_startup_trials": 2}, seed=1)
    space = make_spec(parameters=CONDITIONAL).space
    seen = [trial(n, n / 5, 1e-4 * (n + 1), intermediate_values={1: n / 5}) for n in range(4)]
    once, again = (propose(method, space, Curves(1, maximize=True), lambda: seen, 4) for _ in range(2))
    assert once == again
    assert once != propose(method, space, Curves(1, maximize=True), lambda: seen, 5)


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_what_is_left_out_of_a_queued_configuration_is_proposed_by_the_sampler(sampler: str) -> None:
    # Good is a dropout near 0.3, which counts at every depth but 0, whatever else holds.
    method = SearchMethod(sampler=sampler, sampler_options={"n_startup_trials": 2}, seed=1)
    space = make_spec(parameters=CONDITIONAL).space
    seen = []
    for number in range(24):
        dropout = number / 60
        params = {"unfreeze_depth": 2, "learning_rate": 1e-4, "dropout": dropout}
        score = 1 - abs(dropout - 0.3)
        seen.append(
            create_trial(
                value=score,
                params=params,
                distributions=distributions(space, params),
                intermediate_values={1: score},
            )
        )
        seen[-1].number = number
    curves = Curves(1, maximize=True)
    fixed = {"unfreeze_depth": "all", "learning_rate": 9e-4}
    proposed = [propose(method, space, curves, lambda: seen, n, fixed=fixed) for n in range(24, 32)]
    assert proposed[0] == propose(method, space, curves, lambda: seen, 24, fixed=fixed)
    for params in proposed:
        assert {name: params[name] for name in fixed} == fixed
        assert params.keys() == {*fixed, "dropout", "weight_decay"}  # the latter counts at `all` alone
    near = sum(0.2 < params["dropout"] < 0.4 for params in proposed)
    assert near >= 7  # at random half of them


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp", "qmc"])
def test_a_trial_that_was_queued_in_part_trains_what_is_proposed_with_it(sampler: str, folder: Path) -> None:
    fixed = {"unfreeze_depth": "all", "learning_rate": 9e-4}
    method = SearchMethod(sampler=sampler, sampler_options={}, pruner="none", seed=3)
    spec = make_spec(parameters=CONDITIONAL, search=method, first=(fixed,))
    study = open_study(spec, folder, identity_of(spec, "digest"))
    tuner = Tuner(study, spec, precision="fp32", callbacks=[], folder=folder, max_concurrent=1)
    assert tuner.next() is not None
    curves = Curves(1, maximize=True)
    assert read_trials(study)[0].params == propose(method, spec.space, curves, list, 0, fixed=fixed)


RATES = (Parameter("learning_rate", Range(1e-5, 1e-3, integer=False, log=True)),)
ONE_RATE = make_spec(parameters=RATES).space
DOMAIN = {"learning_rate": FloatDistribution(1e-5, 1e-3, log=True)}


def finished(*scores: float) -> list[FrozenTrial]:
    """Trials of this study that came to their end."""
    trials = [
        create_trial(
            value=score,
            intermediate_values={1: score},
            params={"learning_rate": 1e-4},
            distributions=dict(DOMAIN),
        )
        for score in scores
    ]
    for number, trial in enumerate(trials):
        trial.number = number
    return trials


def lesson(alike: float, *trials: tuple[float, float], rates: Sequence[float] = ()) -> Lesson:
    """Of trials with these scores and quantiles; the median score is 0.5."""
    told = (
        EarlierTrial({"learning_rate": rates[i] if rates else 1e-4}, score, place, finished=True)
        for i, (score, place) in enumerate(trials)
    )
    return Lesson("old", "id", Likeness(alike, 1, 1, 1), 0.5, tuple(told), 0, 0)


def told(lessons: Sequence[Lesson], trials: Sequence[FrozenTrial], *, maximize: bool = True) -> list[float]:
    """The values with which the sampler hears earlier trials."""
    heard = remembered(lessons, ONE_RATE, Curves(1, maximize=maximize), trials)
    assert all(each.state == TrialState.COMPLETE and each.distributions == DOMAIN for each in heard)
    return [float(each.value) for each in heard if each.value is not None]


def test_before_four_have_finished_earlier_trials_have_their_own_scores() -> None:
    three = finished(0.1, 0.2, 0.3)
    assert told([lesson(1, (0.9, 0.9), (0.3, 0.1))], three) == pytest.approx([0.9, 0.3])
    # Of half the likeness half way to the median, 0.5.
    assert told([lesson(0.5, (0.9, 0.9), (0.3, 0.1))], three) == pytest.approx([0.7, 0.4])
    assert told([lesson(1, (0.9, 0.9))], []) == [0.9]


def test_then_they_stand_where_as_good_a_trial_would_stand_here() -> None:
    five = finished(0.10, 0.50, 0.30, 0.40, 0.20)
    # The places of five are 0.1, 0.3, 0.5, 0.7, 0.9; a trial at 0.8 is half way between the best two.
    one = lesson(1, (0.99, 1.0), (0.98, 0.8), (0.9, 0.5), (0.5, 0.3), (0.1, 0.0))
    assert told([one], five) == pytest.approx([0.50, 0.45, 0.30, 0.20, 0.10])
    # Of half the likeness at 0.75, 0.65, 0.5, 0.4, 0.25.
    half = lesson(0.5, *((each.score, each.quantile) for each in one.trials))
    assert told([half], five) == pytest.approx([0.425, 0.375, 0.30, 0.25, 0.175])


def test_where_less_is_better_a_good_trial_has_a_low_value() -> None:
    five = finished(0.10, 0.50, 0.30, 0.40, 0.20)
    assert told([lesson(1, (0.01, 0.9), (0.9, 0.1))], five, maximize=False) == pytest.approx([0.10, 0.50])


def test_earlier_trials_make_way_as_trials_finish() -> None:
    many = lesson(1, *((1 - i / 40, 1 - i / 40) for i in range(40)))
    scores = [i / 100 for i in range(30)]
    assert [len(told([many], finished(*scores[:n]))) for n in (0, 5, 19, 20, 30)] == [20, 15, 1, 0, 0]
    # Each earlier study counts for itself; what has not finished here takes nothing away.
    running = create_trial(
        state=TrialState.RUNNING, params={"learning_rate": 1e-4}, distributions=dict(DOMAIN)
    )
    half = lesson(0.5, *((each.score, each.quantile) for each in many.trials))
    assert len(told([many, half], [*finished(0.1, 0.2), running])) == 18 + 8


@pytest.mark.parametrize(
    ("sampler", "learns"), [("tpe", True), ("gp", True), ("random", False), ("qmc", False)]
)
def test_the_first_proposals_are_near_what_was_good_elsewhere(sampler: str, learns: bool) -> None:
    method = SearchMethod(sampler=sampler, pruner="none", seed=3)
    rates = [1e-5 * 10 ** (i / 10) for i in range(20)]
    # The best is at 1e-4, and a decade away nothing is good.
    scores = [1 - abs(i - 10) / 10 for i in range(20)]
    ranked = sorted(zip(scores, rates, strict=True), reverse=True)
    one = lesson(1, *((score, score) for score, _ in ranked), rates=[rate for _, rate in ranked])

    def proposed(number: int, lessons: Sequence[Lesson]) -> float:
        curves = Curves(1, maximize=True)
        return float(propose(method, ONE_RATE, curves, list, number, lessons)["learning_rate"])

    informed = [proposed(number, [one]) for number in range(8)]
    assert informed == [proposed(number, [one]) for number in range(8)]
    assert (informed != [proposed(number, []) for number in range(8)]) == learns
    if learns:  # at random half of them
        assert sum(3e-5 < rate < 3e-4 for rate in informed) >= 7
