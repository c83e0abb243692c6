"""What a sitting hands out and writes, on virtual time and without Ray."""

import math
import random
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.pruners import SuccessiveHalvingPruner
from optuna.trial import TrialState

from autoft.spec.space import Parameter, Range
from autoft.spec.study import Budget, Checkpoints, SearchMethod, StudySpec
from autoft.study.places import checkpoint_name
from autoft.study.records import read_trial, read_trials
from autoft.study.sitting import SAME_FAILURES, Assignment, Sitting
from autoft.study.storage import identity_of, open_study

from .scripted import CONDITIONAL, Clock, Diary, make_spec, measurement

HALVING = SearchMethod(sampler="random", pruner="successive_halving", seed=7)


def sit(
    spec: StudySpec, folder: Path, places: int = 1, clock: Clock | None = None, **watch: Diary
) -> Sitting:
    study = open_study(spec, folder, identity_of(spec, "digest"))
    return Sitting(
        study,
        spec,
        precision="fp32",
        watchers=list(watch.values()),
        folder=folder,
        max_concurrent=places,
        clock=clock or Clock(),
    )


def begin(sitting: Sitting) -> Assignment:
    assignment = sitting.next()
    assert assignment is not None
    return assignment


def finish(sitting: Sitting, *values: float) -> int:
    number = begin(sitting).number
    for index, value in enumerate(values, start=1):
        if sitting.measured(number, measurement(index, len(values), value), "node"):
            return number
    sitting.completed(number)
    return number


def states(sitting: Sitting) -> list[str]:
    return [trial.state for trial in read_trials(sitting.study)]


def test_trials_are_handed_out_up_to_the_places_and_the_total(folder: Path) -> None:
    sitting = sit(make_spec(trials=3), folder, places=2)
    first, second = begin(sitting), begin(sitting)
    assert sitting.next() is None
    assert not sitting.over
    sitting.failed(first.number, "broken")
    third = begin(sitting)
    assert sitting.over  # with the two that run, the total is met
    for assignment in (second, third):
        sitting.measured(assignment.number, measurement(1, 1, 0.5), "node")
        sitting.completed(assignment.number)
    assert sitting.next() is None
    assert states(sitting) == ["FAIL", "COMPLETE", "COMPLETE"]
    assert [first.attempt, first.config.precision] == [1, "fp32"]


def test_no_trial_starts_when_the_time_is_over_and_those_that_run_may_finish(folder: Path) -> None:
    clock = Clock()
    sitting = sit(make_spec(budget=Budget(trials=9, time_s=60.0)), folder, places=2, clock=clock)
    running = begin(sitting)
    clock.now_s = 59.9
    finish(sitting, 0.1)
    clock.now_s = 60.0
    assert sitting.over
    assert sitting.next() is None
    assert not sitting.measured(running.number, measurement(1, 1, 0.5), "node")
    sitting.completed(running.number)
    assert states(sitting) == ["COMPLETE", "COMPLETE"]


def test_the_time_is_that_of_one_sitting(folder: Path) -> None:
    clock, spec = Clock(), make_spec(budget=Budget(trials=9, time_s=60.0))
    clock.now_s = 1000.0
    assert sit(spec, folder, clock=clock).next() is not None


def test_pruning_compares_equal_fractions_of_unequal_trials(folder: Path) -> None:
    """One measurement an epoch: half-way is step 4 of 8 for every trial, whatever its epochs."""
    search = replace(HALVING, evaluations_per_epoch=1, pruner_options={"min_resource": 4})
    epochs = Parameter("epochs", Range(2, 8, integer=True))
    first = ({"epochs": 8}, {"epochs": 2}, {"epochs": 4})
    sitting = sit(make_spec(trials=3, parameters=[epochs], search=search, first=first), folder)
    finish(sitting, *[0.5] * 8)
    finish(sitting, 0.4, 0.9)  # its first measurement, at one half, is below the other's fourth
    finish(sitting, 0.1, 0.6, 0.6, 0.6)  # its second, at one half, is above
    frozen = sitting.study.get_trials()
    assert states(sitting) == ["COMPLETE", "PRUNED", "COMPLETE"]
    assert list(frozen[0].intermediate_values) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert list(frozen[1].intermediate_values) == [4]
    assert list(frozen[2].intermediate_values) == [2, 4, 6, 8]


def test_the_last_measurement_is_written_and_prunes_nothing(folder: Path) -> None:
    search = replace(HALVING, evaluations_per_epoch=0.5)  # 3 measurements: rungs at 1 and 3
    sitting = sit(make_spec(trials=2, search=search), folder)
    finish(sitting, 0.5, 0.5, 0.9)
    finish(sitting, 0.6, 0.6, 0.2)  # worse than the other at the end, where nothing is left to save
    assert states(sitting) == ["COMPLETE", "COMPLETE"]
    assert sitting.study.get_trials()[1].intermediate_values == {1: 0.6, 2: 0.6, 3: 0.2}
    assert [trial.value for trial in sitting.study.get_trials()] == [0.9, 0.6]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_no_number_fails_the_trial(value: float, folder: Path) -> None:
    sitting = sit(make_spec(trials=2), folder)
    finish(sitting, 0.5, value, 0.7)
    record = read_trial(sitting.study, 0)
    assert (record.state, record.reason, record.score) == ("FAIL", f"macro_f1 is {value} at step 20", 0.5)
    assert len(record.measurements) == 2


def test_a_trial_without_a_measurement_fails(folder: Path) -> None:
    sitting = sit(make_spec(), folder)
    sitting.completed(begin(sitting).number)
    assert read_trial(sitting.study, 0).reason == "the fine-tuning ended without a measurement"


def test_a_trial_ends_once(folder: Path) -> None:
    sitting = sit(make_spec(), folder)
    number = begin(sitting).number
    sitting.failed(number, "first", "trace", "node")
    sitting.failed(number, "second")
    sitting.completed(number)
    record = read_trial(sitting.study, number)
    assert (record.state, record.reason, record.traceback, record.node) == ("FAIL", "first", "trace", "node")


def test_an_interrupted_trial_starts_again_under_its_number(folder: Path) -> None:
    spec = make_spec(trials=3, parameters=CONDITIONAL, search=HALVING)
    before = sit(spec, folder)
    finish(before, *[0.5] * 12)
    lost = begin(before)
    assert not before.measured(lost.number, measurement(1, 12, 0.6), "node")
    assert not before.measured(lost.number, measurement(2, 12, 0.61), "node")

    diary = Diary()
    after = sit(spec, folder, diary=diary)
    again = begin(after)
    assert again == Assignment(lost.number, 2, lost.config)
    assert read_trial(after.study, 1).measurements == ()  # the first attempt's count no more
    # The first attempt passed the rung at 1 and reached step 2: what was decided is not decided again.
    assert not after.measured(1, measurement(1, 12, 0.1), "node")
    assert not after.measured(1, measurement(2, 12, 0.2), "node")
    assert after.measured(1, measurement(3, 12, 0.3), "node")  # below the other's 0.5 at the rung at 3
    record = read_trial(after.study, 1)
    assert (record.state, len(record.measurements)) == ("PRUNED", 3)
    assert after.study.get_trials()[1].intermediate_values == {1: 0.1, 2: 0.2, 3: 0.3}
    assert begin(after).number == 2
    assert diary.entries == [
        ("started", 1),
        ("measured 1", 1),
        ("measured 2", 1),
        ("measured 3", 1),
        ("finished", 1),
        ("started", 2),
    ]


def test_a_trial_that_was_interrupted_while_parameters_were_drawn_gets_the_same_ones(folder: Path) -> None:
    spec = make_spec(trials=2, parameters=CONDITIONAL, search=replace(HALVING, sampler="tpe"))
    expected = begin(sit(spec, folder / "whole")).config
    cut = sit(spec, folder / "cut")
    cut.study.ask()  # the process died here
    assert begin(sit(spec, folder / "cut")).config == expected


@pytest.mark.parametrize(
    ("keep", "expected"),
    [(1, [[0], [0], [2], [2], [2]]), (2, [[0], [0, 1], [0, 2], [0, 2], [2, 4]])],
)
def test_only_the_best_trials_keep_their_checkpoints(
    folder: Path, keep: int, expected: list[list[int]]
) -> None:
    sitting = sit(make_spec(trials=6, checkpoints=Checkpoints(keep)), folder, places=2)
    kept = []
    for values in ((0.5,), (0.4,), (0.6,), (math.nan,), (0.6,)):
        (folder / checkpoint_name(len(kept))).write_text("tensors")
        finish(sitting, *values)
        kept.append(sorted(path.name for path in (folder / "checkpoints").iterdir()))
    assert kept == [[Path(checkpoint_name(number)).name for number in numbers] for numbers in expected]


@pytest.mark.parametrize(("objective", "values"), [("macro_f1", (0.5, 0.9, 0.7)), ("log_loss", (5, 1, 3))])
def test_the_best_trial_of_an_earlier_sitting_keeps_its_checkpoint(
    objective: str, values: tuple[float, ...], folder: Path
) -> None:
    spec = make_spec(trials=3, objective=objective)
    for number, value in enumerate(values):
        sitting = sit(spec, folder)
        (folder / checkpoint_name(begin(sitting).number)).write_text("tensors")
        sitting.measured(number, measurement(1, 1, 0, metrics={objective: value}), "node")
        sitting.completed(number)
    assert [path.name for path in (folder / "checkpoints").iterdir()] == [Path(checkpoint_name(1)).name]


def test_a_trial_costs_no_look_at_the_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the thousandth costs many times the tenth. Pruners and samplers do look; these two do not."""
    sitting = sit(make_spec(trials=3), folder)
    finish(sitting, 0.4)
    monkeypatch.delattr(optuna.Study, "get_trials")
    finish(sitting, 0.5, 0.6)
    sitting.failed(begin(sitting).number, "broken")
    assert read_trial(sitting.study, 1).score == 0.6


def test_a_sitting_prunes_as_optuna_does_with_every_trial_read_anew(folder: Path) -> None:
    rng = random.Random(3)
    curves = [[rng.random() for _ in range(12)] for _ in range(40)]
    sitting = sit(make_spec(trials=40, search=HALVING), folder)
    optunas = optuna.create_study(direction="maximize", pruner=SuccessiveHalvingPruner(1, 3))
    for curve in curves:
        finish(sitting, *curve)
        trial = optunas.ask()
        for step, value in enumerate(curve, start=1):
            trial.report(value, step)
            if step < 12 and trial.should_prune():
                optunas.tell(trial, state=TrialState.PRUNED)
                break
        else:
            optunas.tell(trial, max(curve))
    ended = [(trial.state, trial.last_step) for trial in sitting.study.get_trials()]
    assert ended == [(trial.state, trial.last_step) for trial in optunas.get_trials()]
    assert {step for _, step in ended} == {1, 3, 9, 12}


def test_a_running_trial_keeps_its_checkpoint(folder: Path) -> None:
    sitting = sit(make_spec(), folder, places=2)
    running = begin(sitting).number
    (folder / checkpoint_name(running)).write_text("tensors")
    finish(sitting, 0.9)
    assert (folder / checkpoint_name(running)).exists()


def test_the_search_gives_up_when_every_trial_fails_for_one_reason(folder: Path) -> None:
    sitting = sit(make_spec(trials=50), folder)
    for _ in range(SAME_FAILURES):
        assert sitting.gave_up is None
        sitting.failed(begin(sitting).number, "model 'tiny' cannot be loaded")
    assert sitting.over
    assert "5 trials in a row" in str(sitting.gave_up)
    assert "model 'tiny' cannot be loaded" in str(sitting.gave_up)


@pytest.mark.parametrize("between", ["COMPLETE", "PRUNED", "FAIL"])
def test_failures_that_are_not_alike_or_not_in_a_row_stop_nothing(between: str, folder: Path) -> None:
    sitting = sit(make_spec(trials=50, search=HALVING), folder)
    finish(sitting, *[0.9] * 12)
    for _ in range(SAME_FAILURES + 1):
        sitting.failed(begin(sitting).number, "broken")
        if between == "FAIL":
            sitting.failed(begin(sitting).number, "broken otherwise")
        else:
            finish(sitting, *([1.0] * 12 if between == "COMPLETE" else [0.1] * 12))
    assert sitting.gave_up is None
    assert between in states(sitting)
