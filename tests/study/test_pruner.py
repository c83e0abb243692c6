"""Each pruner stops what its rule says, at the steps of the grid, and says against whom."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from autoft.errors import SpecError
from autoft.spec.space import Parameter, Range
from autoft.spec.study import Budget, SearchMethod
from autoft.study.curves import Curves, last_step
from autoft.study.pruner import MIN_TO_PRUNE, Pruner, expected_passes, make_pruner, require_decisions
from autoft.study.records import END_ATTR
from autoft.study.stop import Stop
from autoft.study.trial_config import report_step

from .scripted import make_spec

NAMES = ("successive_halving", "hyperband", "median")


def pruner(name: str, grid: int = 12, maximize: bool = True, warmup: float = 0.1, **options: int) -> Pruner:
    method = SearchMethod(pruner=name, pruner_options=options)
    return make_pruner(method, Curves(grid, maximize=maximize), warmup)


class Search:
    """Trials one after another; each is judged after every measurement but its last."""

    def __init__(self, judge: Pruner) -> None:
        self.judge = judge
        self.trials: list[FrozenTrial] = []

    def follow(self, values: Mapping[int, float]) -> Stop | None:
        """Why a trial with these values by step is stopped; None where it comes to its end."""
        number = len(self.trials)
        for count in range(1, len(values)):
            seen = dict(list(values.items())[:count])
            trial = made(number, seen, TrialState.RUNNING)
            if self.judge.judges_at(last_step(trial)):
                stop = self.judge.judge([*self.trials, trial], trial)
                assert self.judge.judge([*self.trials, trial], trial) == stop  # asked again after a kill
                if stop is not None:
                    self.trials.append(made(number, seen, TrialState.PRUNED))
                    return stop
        self.trials.append(made(number, values, TrialState.COMPLETE))
        return None

    def ends(self, heights: Sequence[float]) -> list[int]:
        """The step at which each of these constant trials ends."""
        grid = self.judge.curves.report_steps
        return [
            grid
            if (stop := self.follow(dict.fromkeys(range(1, grid + 1), height))) is None
            else round(stop.share * grid)
            for height in heights
        ]


def made(
    number: int, values: Mapping[int, float], state: TrialState, notes: Mapping[str, object] | None = None
) -> FrozenTrial:
    value = max(values.values()) if state == TrialState.COMPLETE else None
    trial = create_trial(
        state=state, value=value, intermediate_values=dict(values), user_attrs=dict(notes or {})
    )
    trial.number = number
    return trial


def steps(count: int, grid: int) -> list[int]:
    """Where the measurements of a trial that has `count` of them lie."""
    return [report_step(k / count, grid) for k in range(1, count + 1)]


@pytest.mark.parametrize("name", NAMES)
def test_nobody_is_judged_in_the_first_quarter_or_in_the_warm_up(name: str) -> None:
    assert not pruner(name).judges_at(2)
    assert pruner(name).judges_at(3)
    assert not pruner(name, warmup=0.5).judges_at(6)
    assert pruner(name, warmup=0.5).judges_at(7)
    assert pruner(name, warmup=0.5, min_resource=2).judges_at(2)


@pytest.mark.parametrize("name", NAMES)
def test_several_finish_before_anybody_is_stopped(name: str) -> None:
    ends = Search(pruner(name)).ends([0.9, 0.8, 0.85, 0.1, *[0.05] * 12])
    assert ends[:MIN_TO_PRUNE] == [12] * MIN_TO_PRUNE
    assert min(ends) == 3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("maximize", [True, False])
def test_on_one_curve_raised_a_little_nothing_is_stopped_whatever_the_lengths(
    name: str, maximize: bool
) -> None:
    rng = random.Random(f"{name} {maximize}")
    for grid in (5, 12, 30):
        curve = sorted((rng.random() for _ in range(grid + 1)), reverse=not maximize)
        search = Search(pruner(name, grid, maximize))
        for number in range(30):
            raised = (1 if maximize else -1) * number * 1e-9  # of equals the later ones would stop
            mine = {step: curve[step] + raised for step in steps(rng.randint(1, grid), grid)}
            assert search.follow(mine) is None


def test_successive_halving_looks_at_steps_3_and_9() -> None:
    # Once four have finished, one in three goes on: of five the best one, of six two, of nine three.
    heights = [0.5, 0.4, 0.6, 0.55, 0.7, 0.58, 0.65, 0.61, 0.62]
    search = Search(pruner("successive_halving"))
    assert search.ends(heights) == [12, 12, 12, 12, 12, 3, 12, 3, 12]


def test_a_stop_says_against_whom_at_which_share_and_by_how_much() -> None:
    search = Search(pruner("successive_halving"))
    search.ends([0.5, 0.4, 0.6, 0.55])
    stop = search.follow({3: 0.45, 6: 0.9, 12: 0.9})
    assert stop == Stop(rival=2, share=0.25, behind=pytest.approx(0.15))
    lower = Search(pruner("successive_halving", maximize=False))
    lower.ends([0.5, 0.4, 0.6, 0.55])
    assert lower.follow({3: 0.45, 12: 0.1}) == Stop(rival=1, share=0.25, behind=pytest.approx(0.05))


def test_successive_halving_takes_its_options() -> None:
    # With min_resource 2 and eta 2 the rungs are 2, 4, 8; of five, two go on.
    search = Search(pruner("successive_halving", min_resource=2, reduction_factor=2))
    assert search.ends([0.5, 0.4, 0.3, 0.6, 0.45, 0.55]) == [12, 12, 12, 12, 2, 12]


@pytest.mark.parametrize("height", [0.0, 0.5])
def test_of_equals_one_in_three_goes_on_and_whoever_went_on_keeps_its_place(height: float) -> None:
    # Four finish; of 15 five go on, of 18 six: the 15th and the 18th find a place, the others none.
    ends = Search(pruner("successive_halving")).ends([height] * 18)
    assert ends == [12] * 4 + [3] * 10 + [12] + [3] * 2 + [12]
    told = Search(pruner("successive_halving"))
    told.ends([height] * 4)
    assert told.follow(dict.fromkeys(range(1, 13), height)) == Stop(rival=0, share=0.25, behind=0.0)


def test_what_was_ended_by_hand_or_did_not_fit_is_no_loser() -> None:
    # The two at step 1 would make it one of nine, of which three go on; as it is, of seven two do.
    for attributes, ends in (({END_ATTR: {"reason": "stopped by hand"}}, 3), ({}, 12)):
        search = Search(pruner("successive_halving"))
        search.ends([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
        for number in (6, 7):
            search.trials.append(made(number, {1: 0.1}, TrialState.PRUNED, attributes))
        assert search.ends([0.75]) == [ends]


def test_a_long_trial_is_not_stopped_for_what_short_ones_reached_later() -> None:
    # Three measurements of 9 lie at 3, 6 and 9; on nearly the same curve the long trial stands lower before.
    curve = {1: 0.3, 2: 0.5, 3: 0.6, 4: 0.65, 5: 0.7, 6: 0.72, 7: 0.74, 8: 0.76, 9: 0.78}
    search = Search(pruner("successive_halving", 9, min_resource=1))
    for _ in range(4):
        assert search.follow({step: curve[step] for step in (3, 6, 9)}) is None
    assert search.follow({step: value + 1e-9 for step, value in curve.items()}) is None
    # At the third they do meet: what is better at step 1 and worse at step 3 stops there.
    assert search.follow({**curve, 1: 0.4, 2: 0.5, 3: 0.55}).share == pytest.approx(3 / 9)  # type: ignore[union-attr]


def test_hyperband_compares_within_brackets_that_begin_later_and_later() -> None:
    # Of 27 measurements, from 1 on: brackets from 1, 3, 9 and 27 (arXiv 1603.06560); trial n is in n mod 4.
    search = Search(pruner("hyperband", 27, min_resource=1))
    assert search.ends([0.5 + n / 100 for n in range(16)]) == [27] * 16
    assert search.ends([0.1] * 4) == [1, 3, 9, 27]


@pytest.mark.parametrize("name", NAMES)
def test_a_first_decision_after_the_last_measurement_stops_nobody_and_is_refused(name: str) -> None:
    option = "n_warmup_steps" if name == "median" else "min_resource"
    late = pruner(name, 12, **{option: 37})
    assert Search(late).ends([0.9, 0.8, 0.7, 0.6, 0.5, 0.4]) == [12] * 6
    assert late.expected_share == 1.0
    spec = make_spec()
    asked = replace(spec, search=replace(spec.search, pruner=name, pruner_options={option: 12}))
    with pytest.raises(SpecError, match=rf"search\.pruner\.{option}: must be .* measurements, 12, got 12"):
        require_decisions(asked)
    require_decisions(replace(asked, search=replace(asked.search, pruner_options={option: 11})))


def test_hyperband_counts_the_finished_trials_of_all_brackets() -> None:
    # After four there is one in each bracket, with which the fifth is compared.
    search = Search(pruner("hyperband", 27, min_resource=1))
    assert search.ends([0.5, 0.6, 0.7, 0.8, 0.1]) == [27, 27, 27, 27, 1]


def test_median_judges_as_optuna_does() -> None:
    rng = random.Random(5)
    search = Search(pruner("median", n_startup_trials=5))
    theirs = optuna.create_study(
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=3),
    )
    for _ in range(40):
        curve = {step: rng.random() for step in range(1, 13)}
        stop = search.follow(curve)
        trial = theirs.ask()
        for step, value in curve.items():
            trial.report(value, step)
            if step < 12 and trial.should_prune():
                theirs.tell(trial, state=TrialState.PRUNED)
                break
        else:
            theirs.tell(trial, max(curve.values()))
        assert (stop.share * 12 if stop else 12) == pytest.approx(step)
    assert {trial.state for trial in search.trials} == {TrialState.COMPLETE, TrialState.PRUNED}


@pytest.mark.parametrize(
    ("name", "options", "share"),
    [
        ("none", {}, 1),
        ("median", {}, 0.625),  # half of them at a quarter
        ("successive_halving", {}, 1 / 4 + 1 / 3 * 1 / 2 + 1 / 9 * 1 / 4),  # rungs at 3 and 9 of 12
        ("hyperband", {}, (4 / 9 + 5 / 6) / 2),  # the second bracket's rung is at 9: 3/4 + 1/3 * 1/4
        ("successive_halving", {"min_resource": 12}, 1),
    ],
)
def test_what_a_trial_is_expected_to_spend(name: str, options: dict[str, int], share: float) -> None:
    assert pruner(name, **options).expected_share == pytest.approx(share)


def test_passes_that_a_study_is_expected_to_make() -> None:
    epochs = Parameter("epochs", Range(2, 6, integer=True))
    spec = make_spec(trials=13, parameters=[epochs], search=SearchMethod(pruner="successive_halving"))
    # Four whole trials and nine of 4/9, of 4 epochs in the middle and 12 evaluations.
    assert expected_passes(spec) == pytest.approx({"train": 8 * 4, "validation": 8 * 12})
    assert expected_passes(replace(spec, budget=Budget(trials=3))) == {"train": 12, "validation": 36}
    search = replace(spec.search, pruner="none", evaluations_per_epoch=1.0)
    assert expected_passes(replace(spec, search=search)) == {"train": 13 * 4, "validation": 13 * 4}


@pytest.mark.parametrize("name", NAMES)
def test_a_trial_that_early_stopping_ended_counts_at_later_steps_with_its_final_value(name: str) -> None:
    search = Search(pruner(name, **({"n_startup_trials": 4} if name == "median" else {})))
    for _ in range(4):
        assert search.follow({3: 0.3, 5: 0.9, 6: 0.8}) is None  # half of the budget
    stop = search.follow({3: 0.4, 9: 0.5, 12: 0.5})
    assert stop == Stop(rival=0, share=0.75, behind=pytest.approx(0.4))


def test_none_stops_nothing() -> None:
    assert Search(pruner("none", 4)).ends([0.5, 0.1, 0.0, 0.0, 0.0, 0.0]) == [4] * 6


def test_an_unknown_pruner_is_refused() -> None:
    with pytest.raises(KeyError):
        pruner("hope")
