"""What a session hands out and writes, on virtual time and without Ray."""

import math
import random
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.storages._cached_storage import _CachedStorage
from optuna.trial import TrialState

from autoft.errors import StudyError
from autoft.spec.space import Parameter, Range
from autoft.spec.study import Budget, Checkpoints, Faults, Resources, SearchMethod, StudySpec
from autoft.study.assignment import Assignment
from autoft.study.budget import limit_reached, unfinished
from autoft.study.failure_streak import Failure, GaveUp
from autoft.study.identity import identity_of
from autoft.study.layout import checkpoint_name
from autoft.study.lock import Owner
from autoft.study.records import TRIAL_ATTR, read_trial, read_trials
from autoft.study.requests import forget_stop, request_end, request_stop
from autoft.study.start import Start
from autoft.study.stop import Stop
from autoft.study.storage import find_study, open_study
from autoft.study.tuner import Decision, Tuner

from .scripted import CONDITIONAL, Clock, Diary, make_spec, measurement

HALVING = SearchMethod(sampler="random", pruner="successive_halving", seed=7)


def sit(
    spec: StudySpec,
    folder: Path,
    slots: int = 1,
    clock: Clock | None = None,
    gpus: float = 0.0,
    **watch: Diary,
) -> Tuner:
    study = open_study(spec, folder, identity_of(spec, "digest"))
    return Tuner(
        study,
        spec,
        precision="fp32",
        callbacks=list(watch.values()),
        folder=folder,
        max_concurrent=slots,
        gpus_per_trial=gpus,
        clock=clock or Clock(),
    )


def begin(tuner: Tuner) -> Assignment:
    assignment = tuner.next()
    assert assignment is not None
    return assignment


def finish(tuner: Tuner, *values: float) -> int:
    trial = begin(tuner)
    for index, value in enumerate(values, start=1):
        best = Path(checkpoint_name(trial.number, 1)) if value == max(values[:index]) else None
        if measured(tuner, trial, index, len(values), value, checkpoint=best) is not Decision.CONTINUE:
            return trial.number
    tuner.completed(trial.number, trial.attempt)
    return trial.number


def measured(
    tuner: Tuner, trial: Assignment, index: int, of: int, value: float, **changes: object
) -> Decision:
    return tuner.measured(trial.number, trial.attempt, measurement(index, of, value, **changes), "node")


def fail(tuner: Tuner, reason: str) -> None:
    trial = begin(tuner)
    tuner.failed(trial.number, trial.attempt, Failure("error", reason, "the traceback"))


def states(tuner: Tuner) -> list[str]:
    return [trial.state for trial in read_trials(tuner.study)]


def test_trials_are_handed_out_up_to_the_places_and_the_total(folder: Path) -> None:
    tuner = sit(make_spec(trials=3), folder, slots=2)
    first, second = begin(tuner), begin(tuner)
    assert tuner.next() is None
    assert not tuner.over
    tuner.failed(first.number, 1, Failure("error", "broken", ""))
    third = begin(tuner)
    assert tuner.over  # with the two that run, the total is met
    for assignment in (second, third):
        measured(tuner, assignment, 1, 1, 0.5)
        tuner.completed(assignment.number, 1)
    assert tuner.next() is None
    assert states(tuner) == ["FAIL", "COMPLETE", "COMPLETE"]
    assert [first.attempt, first.config.precision] == [1, "fp32"]


def test_when_the_time_is_over_trials_finish_their_measurement_and_are_kept(folder: Path) -> None:
    clock = Clock()
    spec = make_spec(budget=Budget(trials=9, time_s=60.0))
    tuner = sit(spec, folder, slots=3, clock=clock)
    kept, last = begin(tuner), begin(tuner)
    clock.now_s = 59.9
    finish(tuner, 0.1)
    clock.now_s = 60.0
    assert tuner.over
    assert tuner.next() is None
    assert tuner.heartbeat(kept.number, 1) is Decision.CONTINUE
    assert measured(tuner, kept, 1, 2, 0.5) is Decision.PAUSE
    assert measured(tuner, last, 1, 1, 0.5) is Decision.CONTINUE  # nothing is left to keep it for
    tuner.completed(last.number, 1)
    assert states(tuner) == ["RUNNING", "COMPLETE", "COMPLETE"]
    again = begin(sit(spec, folder))
    assert (again.number, again.attempt, again.measured) == (kept.number, 2, 1)


def test_the_time_is_that_of_one_session(folder: Path) -> None:
    clock, spec = Clock(), make_spec(budget=Budget(trials=9, time_s=60.0))
    clock.now_s = 1000.0
    assert sit(spec, folder, clock=clock).next() is not None


def test_pruning_compares_equal_fractions_of_unequal_trials(folder: Path) -> None:
    """One measurement an epoch: half-way is step 4 of 8 for every trial, whatever its epochs."""
    search = replace(HALVING, evaluations_per_epoch=1, pruner_options={"min_resource": 4})
    epochs = Parameter("epochs", Range(2, 8, integer=True))
    first = tuple({"epochs": count} for count in (8, 7, 6, 5, 2, 4))
    tuner = sit(make_spec(trials=6, parameters=[epochs], search=search, first=first), folder)
    for count in (8, 7, 6, 5):
        finish(tuner, *[0.5] * count)
    finish(tuner, 0.4, 0.9)  # its first measurement, at one half, is below the others' there
    finish(tuner, 0.1, 0.6, 0.6, 0.6)  # its second, at one half, is above
    frozen = tuner.study.get_trials()
    assert states(tuner) == [*["COMPLETE"] * 4, "PRUNED", "COMPLETE"]
    assert list(frozen[0].intermediate_values) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert list(frozen[4].intermediate_values) == [4]
    assert list(frozen[5].intermediate_values) == [2, 4, 6, 8]
    assert read_trial(tuner.study, 4).stop == Stop(rival=0, share=0.5, behind=pytest.approx(0.1))


def test_the_default_is_never_stopped_for_the_winner_is_compared_with_it(folder: Path) -> None:
    spec = make_spec(trials=6, search=replace(HALVING, pruner_options={"min_resource": 1}))
    start = Start({"learning_rate": 5e-5})
    study = open_study(spec, folder, identity_of(spec, "digest"), start)
    tuner = Tuner(study, spec, precision="fp32", callbacks=[], folder=folder, max_concurrent=2)
    default = begin(tuner)
    for _ in range(4):
        finish(tuner, *[0.5] * 12)
    assert [measured(tuner, default, index, 12, 0.1) for index in range(1, 13)] == [Decision.CONTINUE] * 12
    tuner.completed(default.number, 1)
    finish(tuner, *[0.1] * 12)
    assert states(tuner) == [*["COMPLETE"] * 5, "PRUNED"]


def test_the_last_measurement_is_written_and_prunes_nothing(folder: Path) -> None:
    search = replace(HALVING, evaluations_per_epoch=0.5)  # 3 measurements: rungs at 1 and 3
    tuner = sit(make_spec(trials=5, search=search), folder)
    for _ in range(4):
        finish(tuner, 0.5, 0.5, 0.9)
    finish(tuner, 0.6, 0.6, 0.2)  # worse than the others at the end, where nothing is left to save
    assert states(tuner) == ["COMPLETE"] * 5
    assert tuner.study.get_trials()[4].intermediate_values == {1: 0.6, 2: 0.6, 3: 0.2}
    assert [trial.value for trial in tuner.study.get_trials()] == [*[0.9] * 4, 0.6]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_no_number_fails_the_trial(value: float, folder: Path) -> None:
    tuner = sit(make_spec(trials=2), folder)
    finish(tuner, 0.5, value, 0.7)
    record = read_trial(tuner.study, 0)
    assert (record.state, record.reason, record.score) == ("FAIL", f"macro_f1 is {value} at step 20", 0.5)
    assert len(record.measurements) == 2


def test_a_trial_without_a_measurement_fails(folder: Path) -> None:
    tuner = sit(make_spec(), folder)
    tuner.completed(begin(tuner).number, 1)
    assert read_trial(tuner.study, 0).reason == "the fine-tuning ended without a measurement"


def test_a_trial_ends_once(folder: Path) -> None:
    tuner = sit(make_spec(), folder)
    number = begin(tuner).number
    tuner.failed(number, 1, Failure("error", "first", "trace"), "node")
    tuner.failed(number, 1, Failure("error", "second", ""))
    tuner.completed(number, 1)
    assert tuner.measured(number, 1, measurement(1, 1, 0.5), "node") is Decision.STOP
    record = read_trial(tuner.study, number)
    assert (record.state, record.reason, record.traceback, record.node) == ("FAIL", "first", "trace", "node")


def test_a_trial_of_an_earlier_version_goes_on_with_the_defaults_of_what_that_lacked(folder: Path) -> None:
    spec = make_spec(trials=1)
    before = sit(spec, folder)
    begin(before)
    (trial,) = before.study.trials
    begun = dict(trial.user_attrs[TRIAL_ATTR])
    del begun["values"]["optimizer"]
    before.study._storage.set_trial_user_attr(trial._trial_id, TRIAL_ATTR, begun)
    again = begin(sit(spec, folder))
    assert (again.number, again.attempt, again.config.optimizer) == (0, 2, "adamw")


@pytest.mark.parametrize(("early", "state"), [(True, "COMPLETE"), (False, "PRUNED")])
def test_a_trial_that_early_stopping_ends_is_complete_with_its_best_measurement(
    early: bool, state: str, folder: Path
) -> None:
    """At its last measurement, on the rung at 3, it is behind all others, but over: nobody judges it."""
    search = replace(HALVING, pruner_options={"min_resource": 1})
    tuner = sit(make_spec(trials=6, search=search), folder)
    for _ in range(4):
        finish(tuner, 0.5, *[0.9] * 11)
    trial = begin(tuner)
    for index in (1, 2):
        assert measured(tuner, trial, index, 12, 0.6) is Decision.CONTINUE
    ended = measured(tuner, trial, 3, 12, 0.1, last=early)
    assert ended is (Decision.CONTINUE if early else Decision.STOP)
    tuner.completed(trial.number, 1)
    record = read_trial(tuner.study, trial.number)
    assert (record.state, record.score, record.best_index) == (state, 0.6, 1)
    assert tuner.study.trials[trial.number].value == (0.6 if early else 0.1)
    assert record.early_stop == ("early stop at epoch 1.5 of 6" if early else None)
    assert read_trial(tuner.study, 0).early_stop is None
    begin(tuner)
    assert tuner.over  # it counts as one of the six


def test_a_session_that_is_killed_at_an_early_stop_has_a_complete_trial(folder: Path) -> None:
    spec = make_spec(trials=1)
    killed = sit(spec, folder)
    trial = begin(killed)
    measured(killed, trial, 1, 4, 0.6)
    measured(killed, trial, 2, 4, 0.5, last=True)
    after = sit(spec, folder)
    assert after.next() is None
    assert (states(after), read_trial(after.study, 0).score) == (["COMPLETE"], 0.6)


@pytest.mark.parametrize(("of", "state"), [(1, "COMPLETE"), (2, "RUNNING")])
def test_a_measurement_of_an_earlier_version_is_the_last_one_if_the_budget_is_spent(
    of: int, state: str, folder: Path
) -> None:
    spec = make_spec(trials=1)
    killed = sit(spec, folder)
    measured(killed, begin(killed), 1, of, 0.6)
    (trial,) = killed.study.trials
    note = {name: value for name, value in trial.user_attrs["measurement:1"].items() if name != "last"}
    killed.study._storage.set_trial_user_attr(trial._trial_id, "measurement:1", note)
    after = sit(spec, folder)
    assert states(after) == [state]
    assert [one.last for one in read_trial(after.study, 0).measurements] == [of == 1]
    assert read_trial(after.study, 0).early_stop is None


def test_an_interrupted_trial_goes_on_under_its_number(folder: Path) -> None:
    search = replace(HALVING, pruner_options={"min_resource": 1, "reduction_factor": 3})
    spec = make_spec(trials=6, parameters=CONDITIONAL, search=search)
    before = sit(spec, folder)
    for _ in range(4):
        finish(before, *[0.5] * 12)
    lost = begin(before)
    assert measured(before, lost, 1, 12, 0.6) is Decision.CONTINUE
    assert measured(before, lost, 2, 12, 0.4) is Decision.CONTINUE

    diary = Diary()
    after = sit(spec, folder, diary=diary)
    again = begin(after)
    assert again == Assignment(lost.number, 2, 2, lost.config)
    assert len(read_trial(after.study, 4).measurements) == 2
    # The first attempt passed the rung at 1, and what was decided is not decided again.
    assert measured(after, again, 1, 12, 0.1) is Decision.CONTINUE
    assert measured(after, again, 2, 12, 0.2) is Decision.CONTINUE
    assert measured(after, again, 3, 12, 0.3) is Decision.STOP  # below the others' 0.5 at the rung at 3
    record = read_trial(after.study, 4)
    assert (record.state, len(record.measurements), record.attempt) == ("PRUNED", 3, 2)
    assert after.study.get_trials()[4].intermediate_values == {1: 0.1, 2: 0.2, 3: 0.3}
    assert begin(after).number == 5
    assert diary.entries == [
        ("started", 4),
        ("measured 1", 4),
        ("measured 2", 4),
        ("measured 3", 4),
        ("finished", 4),
        ("started", 5),
    ]


def test_a_measurement_that_is_given_again_keeps_the_checkpoint_of_the_attempt_that_made_it(
    folder: Path,
) -> None:
    spec = make_spec(trials=1)
    begin(sit(spec, folder))
    made = folder / checkpoint_name(0, 1)
    made.write_text("tensors")
    after = sit(spec, folder)
    again = begin(after)
    measured(after, again, 1, 2, 0.9, checkpoint=Path("/another/node") / checkpoint_name(0, 1))
    measured(after, again, 2, 2, 0.5)
    after.completed(0, 2)
    assert read_trial(after.study, 0).checkpoint == checkpoint_name(0, 1)
    assert made.exists()


def test_an_attempt_that_begins_anew_is_scored_by_what_it_measures(folder: Path) -> None:
    spec = make_spec(trials=1)
    before = sit(spec, folder)
    measured(before, begin(before), 1, 3, 0.9, checkpoint=Path("best"))
    after = sit(spec, folder)
    again = begin(after)
    for index, value in ((1, 0.7), (2, 0.8), (3, 0.6)):
        measured(after, again, index, 3, value)
    after.completed(0, 2)
    assert read_trial(after.study, 0).score == after.study.get_trials()[0].value == 0.8


def test_a_trial_whose_last_value_was_no_number_is_failed_by_the_next_session(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sit(make_spec(trials=1), folder)
    trial = begin(before)
    monkeypatch.setattr(before, "_fail_as_broken", lambda *_: Decision.STOP)  # killed just then
    measured(before, trial, 1, 3, 0.9)
    measured(before, trial, 2, 3, math.inf)
    after = sit(make_spec(trials=1), folder)
    record = read_trial(after.study, 0)
    assert (record.state, record.reason) == ("FAIL", "macro_f1 is inf at step 20")


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp", "qmc"])
def test_what_is_trained_is_what_is_stored_where_others_ended_while_parameters_were_drawn(
    sampler: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = replace(HALVING, sampler=sampler, pruner="none")
    for seed in range(8):
        place = folder / str(seed)
        spec = make_spec(trials=30, parameters=CONDITIONAL, search=replace(search, seed=seed))
        tuner = sit(spec, place, slots=2)
        for number in range(12):
            finish(tuner, number / 12)
        other = begin(tuner)
        write, count = _CachedStorage.set_trial_param, 0

        def deadly(self: _CachedStorage, *arguments: object) -> None:
            nonlocal count
            count += 1
            if count > 1:
                raise Killed
            write(self, *arguments)  # type: ignore[arg-type]  # noqa: B023 - used at once

        with monkeypatch.context() as patched:
            patched.setattr(_CachedStorage, "set_trial_param", deadly)
            with pytest.raises(Killed):
                tuner.next()
        measured(tuner, other, 1, 1, 2.0)
        tuner.completed(other.number, 1)
        after = sit(spec, place)
        again = begin(after)
        stored = read_trial(after.study, again.number)
        assert {name: stored.values[name] for name in stored.params} == dict(stored.params)


def test_an_attempt_that_was_given_up_is_not_listened_to(folder: Path) -> None:
    spec = make_spec(trials=2)
    before = sit(spec, folder)
    old = begin(before)
    after = sit(spec, folder)
    new = begin(after)
    assert measured(after, old, 1, 2, 0.9) is Decision.STOP
    assert after.heartbeat(old.number, old.attempt) is Decision.STOP
    assert after.failed(old.number, old.attempt, Failure("error", "late", "")) is Decision.STOP
    assert read_trial(after.study, new.number).measurements == ()


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp", "qmc"])
@pytest.mark.parametrize("writes", [0, 3, 9, 20])
def test_killed_at_any_write_the_study_goes_on_as_if_nothing_had_happened(
    sampler: str, writes: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve trials of scripted curves; the process is killed again and again after a few writes."""
    search = replace(HALVING, sampler=sampler, evaluations_per_epoch=0.5)
    if sampler in ("tpe", "gp"):
        search = replace(search, sampler_options={"n_startup_trials": 4})
    spec = make_spec(trials=12, parameters=CONDITIONAL, search=search)
    shallow = ({"unfreeze_depth": 1, "learning_rate": 6e-4}, {"unfreeze_depth": 2, "learning_rate": 3e-4})
    start = Start({"unfreeze_depth": "all", "learning_rate": 1e-4}, shallow)

    def whole(name: str) -> list[tuple[object, ...]]:
        study = open_study(spec, folder / name, identity_of(spec, "digest"))
        return [
            (t.number, t.state, t.origin, t.params, t.score, [(m.index, m.metrics) for m in t.measurements])
            for t in read_trials(study)
        ]

    def go_on(name: str) -> None:
        open_study(spec, folder / name, identity_of(spec, "digest"), start)
        tuner = sit(spec, folder / name)
        while (trial := tuner.next()) is not None:
            rng = random.Random(trial.number)
            curve = [rng.random() for _ in range(3)]
            for index, value in list(enumerate(curve, start=1))[trial.measured :]:
                if measured(tuner, trial, index, 3, value) is not Decision.CONTINUE:
                    break
            else:
                tuner.completed(trial.number, trial.attempt)

    go_on("undisturbed")
    left = writes

    def deadly(method: object) -> object:
        def write(self: object, *arguments: object, **named: object) -> object:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return method(self, *arguments, **named)  # type: ignore[operator]

        return write

    kills = 0
    while True:
        with monkeypatch.context() as patched:
            for name in ("create_new_trial", *WRITES):
                patched.setattr(_CachedStorage, name, deadly(getattr(_CachedStorage, name)))
            left = writes + 7 * kills
            try:
                go_on("killed")
                break
            except Killed:
                kills += 1
    assert kills > 0
    assert whole("killed") == whole("undisturbed")


WRITES = (
    "set_trial_param",
    "set_trial_state_values",
    "set_trial_intermediate_value",
    "set_trial_user_attr",
    "set_trial_system_attr",
)


@pytest.mark.parametrize(
    ("keep", "expected"),
    [(1, [[0], [0], [0, 2], [0, 2], [0, 2]]), (2, [[0], [0, 1], [0, 2], [0, 2], [0, 2, 4]])],
)
def test_only_the_best_trials_and_the_default_keep_their_checkpoints(
    folder: Path, keep: int, expected: list[list[int]]
) -> None:
    tuner = sit(make_spec(trials=6, checkpoints=Checkpoints(keep)), folder, slots=2)
    kept = []
    for values in ((0.5,), (0.4,), (0.6,), (math.nan,), (0.6,)):
        (folder / checkpoint_name(len(kept), 1)).write_text("tensors")
        finish(tuner, *values)
        kept.append(sorted(path.name for path in (folder / "checkpoints").iterdir()))
    assert kept == [[Path(checkpoint_name(number, 1)).name for number in numbers] for numbers in expected]


@pytest.mark.parametrize(("objective", "values"), [("macro_f1", (0.5, 0.9, 0.7)), ("log_loss", (5, 1, 3))])
def test_the_best_trial_of_an_earlier_session_keeps_its_checkpoint(
    objective: str, values: tuple[float, ...], folder: Path
) -> None:
    spec = make_spec(trials=3, objective=objective)
    for number, value in enumerate(values):
        tuner = sit(spec, folder)
        trial = begin(tuner)
        (folder / checkpoint_name(number, 1)).write_text("tensors")
        best = Path(checkpoint_name(number, 1))
        measured(tuner, trial, 1, 1, 0, metrics={objective: value}, checkpoint=best)
        tuner.completed(number, 1)
    kept = {path.name for path in (folder / "checkpoints").iterdir()}
    assert kept == {Path(checkpoint_name(number, 1)).name for number in (0, 1)}


def test_a_study_that_outgrows_its_bound_stops_and_keeps_its_places(folder: Path) -> None:
    tuner = sit(make_spec(resources=Resources(disk=500_000)), folder)
    trial = begin(tuner)
    (folder / "rows").write_bytes(bytes(1_000_000))
    assert measured(tuner, trial, 1, 3, 0.5) is Decision.PAUSE
    assert "more than resources.disk (500,000)" in str(tuner.stopped_by)
    assert states(tuner) == ["RUNNING"]


def test_what_somebody_else_put_beside_the_checkpoints_stays(folder: Path) -> None:
    tuner = sit(make_spec(trials=1), folder)
    (folder / "checkpoints" / "mine.safetensors").write_text("tensors")
    (folder / "checkpoints" / ".ipynb_checkpoints").mkdir()
    finish(tuner, 0.4)
    tuner.sweep()
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {
        "mine.safetensors",
        ".ipynb_checkpoints",
    }


def test_a_trial_costs_no_look_at_the_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the thousandth costs many times the tenth. Pruners and samplers do look; these two do not."""
    tuner = sit(make_spec(trials=3), folder)
    finish(tuner, 0.4)
    monkeypatch.delattr(optuna.Study, "get_trials")
    finish(tuner, 0.5, 0.6)
    fail(tuner, "broken")
    assert read_trial(tuner.study, 1).score == 0.6


@pytest.mark.parametrize("pruner", ["median", "successive_halving"])
def test_a_session_that_is_killed_after_every_measurement_decides_as_one_that_is_not(
    pruner: str, folder: Path, tmp_path: Path
) -> None:
    rng = random.Random(3)
    curves = [[rng.random() / 3 + number % 5 * step / 5 for step in range(4)] for number in range(10)]
    search = replace(HALVING, sampler="tpe", sampler_options={"n_startup_trials": 2}, pruner=pruner)
    spec = make_spec(trials=10, search=search)
    whole = sit(spec, folder)
    for curve in curves:
        finish(whole, *curve)
    for number, curve in enumerate(curves):
        for index, value in enumerate(curve, start=1):
            killed = sit(spec, tmp_path / "killed")
            trial = begin(killed)
            assert trial.number == number
            if measured(killed, trial, index, 4, value) is not Decision.CONTINUE:
                break
        else:
            killed.completed(trial.number, trial.attempt)
    ended = [(trial.state, trial.params, trial.intermediate_values) for trial in whole.study.get_trials()]
    assert ended == [(t.state, t.params, t.intermediate_values) for t in killed.study.get_trials()]
    assert {trial.state for trial in whole.study.get_trials()} == {TrialState.COMPLETE, TrialState.PRUNED}


def test_a_running_trial_keeps_its_checkpoint(folder: Path) -> None:
    tuner = sit(make_spec(), folder, slots=2)
    running = begin(tuner).number
    (folder / checkpoint_name(running, 1)).write_text("tensors")
    finish(tuner, 0.9)
    assert (folder / checkpoint_name(running, 1)).exists()


def test_the_search_gives_up_when_every_trial_fails_for_one_reason(folder: Path) -> None:
    tuner = sit(make_spec(trials=50, faults=Faults(stop_after_failures=3)), folder, slots=2)
    running = begin(tuner)
    for number in range(3):
        assert not tuner.over
        fail(tuner, f"model 'tiny-{tuner.study.trials[-1].number}' cannot be loaded at step {number}")
    assert tuner.over
    assert tuner.heartbeat(running.number, 1) is Decision.PAUSE
    assert isinstance(tuner.stopped_by, GaveUp)
    assert "3 trials in a row" in str(tuner.stopped_by)
    assert "cannot be loaded at step 2\nthe traceback" in str(tuner.stopped_by)


@pytest.mark.parametrize("between", ["COMPLETE", "PRUNED", "FAIL"])
def test_failures_that_are_not_alike_or_not_in_a_row_stop_nothing(between: str, folder: Path) -> None:
    tuner = sit(make_spec(trials=50, search=HALVING), folder)
    finish(tuner, *[0.9] * 12)
    for _ in range(6):
        fail(tuner, "broken")
        if between == "FAIL":
            fail(tuner, "broken otherwise")
        else:
            finish(tuner, *([1.0] * 12 if between == "COMPLETE" else [0.1] * 12))
    assert not tuner.over
    assert between in states(tuner)


def test_a_trial_whose_process_died_is_tried_again_from_its_last_measurement(folder: Path) -> None:
    spec = make_spec(trials=2, faults=Faults(retries=2))
    for attempt in (1, 2, 3):
        tuner = sit(spec, folder)  # crashes count over all sessions, which may be interrupted between
        trial = begin(tuner)
        assert (trial.number, trial.attempt, trial.measured) == (0, attempt, min(attempt - 1, 1))
        measured(tuner, trial, 1, 9, 0.5)
        decision = tuner.lost(trial.number, trial.attempt, "it died")
        assert decision is (Decision.STOP if attempt == 3 else Decision.PAUSE)
    record = read_trial(tuner.study, 0)
    assert (record.state, record.reason, record.attempt) == ("FAIL", "it died, 3 times", 3)
    assert begin(tuner).number == 1


def test_crashes_of_a_trial_that_comes_further_each_time_do_not_add_up(folder: Path) -> None:
    tuner = sit(make_spec(trials=1, faults=Faults(retries=1)), folder)
    for index in range(1, 6):
        trial = begin(tuner)
        measured(tuner, trial, index, 9, 0.5)
        assert tuner.lost(0, trial.attempt, "it died") is Decision.PAUSE
    assert begin(tuner).attempt == 6


def test_that_its_node_is_gone_is_no_fault_of_the_trial(folder: Path) -> None:
    clock = Clock()
    tuner = sit(make_spec(trials=1, faults=Faults(retries=0, trial_timeout_s=30.0)), folder, clock=clock)
    for _ in range(5):
        trial = begin(tuner)
        clock.now_s += 100.0
        assert tuner.lost(0, trial.attempt, "it died", with_node=True) is Decision.PAUSE
    assert tuner.lost(0, begin(tuner).attempt, "it died") is Decision.STOP


def test_all_that_run_are_tried_again_where_what_runs_them_breaks_down(folder: Path) -> None:
    tuner = sit(make_spec(trials=3), folder, slots=2)
    begin(tuner), begin(tuner)
    tuner.all_lost("it died")
    assert tuner.idle
    assert sorted((again.number, again.attempt) for again in (begin(tuner), begin(tuner))) == [
        (0, 2),
        (1, 2),
    ]


def test_a_lost_trial_is_the_next_one_even_where_the_total_is_met(folder: Path) -> None:
    tuner = sit(make_spec(trials=1), folder)
    trial = begin(tuner)
    assert tuner.over
    tuner.lost(trial.number, 1, "it died")
    assert not tuner.over
    assert begin(tuner).attempt == 2


def test_a_trial_that_was_silent_for_long_hung_and_is_not_tried_again(folder: Path) -> None:
    clock = Clock()
    tuner = sit(make_spec(faults=Faults(trial_timeout_s=30.0)), folder, clock=clock)
    trial = begin(tuner)
    clock.now_s = 20.0
    tuner.heartbeat(trial.number, 1)
    clock.now_s = 50.0
    assert tuner.lost(trial.number, 1, "it died") is Decision.STOP
    reason = "hung: no step in 30 s (faults.trial_timeout); its log shows where"
    assert (read_trial(tuner.study, 0).state, read_trial(tuner.study, 0).reason) == ("FAIL", reason)


def test_a_trial_whose_process_dies_again_goes_on_with_half_of_the_rows(folder: Path) -> None:
    spec = make_spec(trials=1, faults=Faults(retries=3))
    tuner = sit(spec, folder)
    for attempt, rows in enumerate((None, None, 16), start=1):  # of 32
        trial = begin(tuner)
        assert (trial.attempt, trial.micro_batch) == (attempt, rows)
        assert tuner.lost(0, attempt, "it died") is Decision.PAUSE
    tuner = sit(spec, folder)  # another session has not forgotten it
    trial = begin(tuner)
    assert (trial.attempt, trial.micro_batch) == (4, 8)
    measured(tuner, trial, 1, 3, 0.9)  # it has come further, so it may die as often again
    for rows in (8, 4):
        assert tuner.lost(0, trial.attempt, "it died") is Decision.PAUSE
        trial = begin(tuner)
        assert trial.micro_batch == rows


def test_half_of_the_rows_is_half_of_those_that_were_tried(folder: Path) -> None:
    tuner = sit(make_spec(trials=1), folder)
    measured(tuner, begin(tuner), 1, 3, 0.5, micro_batch=16)  # of 32: it had found out for itself
    tuner.lost(0, 1, "it died")
    tuner.lost(0, begin(tuner).attempt, "it died")
    assert begin(tuner).micro_batch == 8


def test_out_of_memory_is_a_violated_constraint(folder: Path) -> None:
    tuner = sit(make_spec(), folder)
    trial = begin(tuner)
    measured(tuner, trial, 1, 3, 0.9)
    tuner.failed(trial.number, 1, Failure("memory", "out of memory at step 7", ""))
    record, frozen = read_trial(tuner.study, 0), tuner.study.get_trials()[0]
    assert (record.state, record.reason) == ("PRUNED", "out of memory at step 7")
    assert frozen.constraints == {"memory": 1.0}


def test_where_nothing_fits_from_the_start_the_search_gives_up_instead_of_spending_its_budget(
    folder: Path,
) -> None:
    spec = make_spec(trials=50, faults=Faults(stop_after_failures=3))
    tuner = sit(spec, folder)
    for _ in range(3):
        assert not tuner.over
        trial = begin(tuner)
        tuner.failed(trial.number, 1, Failure("memory", "out of memory before the first step", ""))
    assert tuner.over
    assert isinstance(tuner.stopped_by, GaveUp)
    tuner = sit(spec, folder)
    finish(tuner, 0.5)
    for _ in range(9):
        trial = begin(tuner)
        tuner.failed(trial.number, 1, Failure("memory", "out of memory at step 7", ""))
    assert not tuner.over


def test_a_full_disk_stops_the_search_and_fails_no_trial(folder: Path) -> None:
    spec = make_spec()
    tuner = sit(spec, folder, slots=2)
    full, other = begin(tuner), begin(tuner)
    assert tuner.failed(full.number, 1, Failure("disk", "No space left on device", "")) is Decision.PAUSE
    assert tuner.heartbeat(other.number, 1) is Decision.PAUSE
    assert tuner.next() is None
    assert "No space left on device. Nothing is lost; make room, then run" in str(tuner.stopped_by)
    assert states(tuner) == ["RUNNING", "RUNNING"]
    assert [begin(sit(spec, folder)).number for _ in range(1)] == [full.number]


def test_another_process_stops_the_search_or_a_trial(folder: Path) -> None:
    clock, spec = Clock(), make_spec(trials=9)
    tuner = sit(spec, folder, slots=3, clock=clock)
    trials = [begin(tuner) for _ in range(3)]
    measured(tuner, trials[0], 1, 3, 0.5)
    elsewhere = find_study("study", folder)
    request_end(elsewhere, 0)
    request_end(elsewhere, 1)
    clock.now_s += 1.0
    assert [tuner.heartbeat(n, 1) for n in (0, 1, 2)] == [Decision.STOP, Decision.STOP, Decision.CONTINUE]
    assert states(tuner) == ["PRUNED", "FAIL", "RUNNING"]
    with pytest.raises(StudyError, match="trial 0 of 'study' does not run; running trials: 2"):
        request_end(elsewhere, 0)
    me = Owner.this_process()
    request_stop(elsewhere, replace(me, since=me.since - 1))
    clock.now_s += 1.0
    assert (
        tuner.heartbeat(2, 1) is Decision.CONTINUE
    )  # another process was asked, which had this one's number
    request_stop(elsewhere, me)
    clock.now_s += 1.0
    assert tuner.heartbeat(2, 1) is Decision.PAUSE
    assert tuner.over
    assert tuner.stopped
    assert sit(spec, folder).over  # asked while a search starts, it holds too
    request_end(elsewhere, 2)
    forget_stop(elsewhere)
    tuner = sit(spec, folder, clock=clock)
    assert not tuner.over
    again = begin(tuner)  # that trial 2 is to end still holds
    assert (again.number, tuner.heartbeat(2, again.attempt)) == (2, Decision.STOP)


def test_gpu_hours_are_a_total_over_all_sessions(folder: Path) -> None:
    spec = make_spec(trials=9, budget=Budget(trials=9, gpu_hours=1.0))
    first = sit(spec, folder, gpus=0.5)
    trial = begin(first)
    assert measured(first, trial, 1, 3, 0.5, elapsed_s=7000.0) is Decision.CONTINUE
    second = sit(spec, folder, gpus=0.5)
    trial = begin(second)
    assert limit_reached(second.study, spec.budget) == "gpu_hours"  # nothing else could have ended it
    both = replace(spec.budget, time_s=60.0)
    assert limit_reached(second.study, both) == "time"
    assert measured(second, trial, 2, 3, 0.5, elapsed_s=7300.0) is Decision.PAUSE
    assert sit(spec, folder, gpus=0.5).over
    assert limit_reached(second.study, both) == "gpu_hours"
    assert limit_reached(second.study, Budget(trials=9)) is None


def test_gpu_hours_count_what_led_to_no_measurement(folder: Path) -> None:
    clock = Clock()
    spec = make_spec(trials=9, budget=Budget(trials=9, gpu_hours=1.0))
    tuner = sit(spec, folder, clock=clock, gpus=1.0)
    trial = begin(tuner)
    clock.now_s += 200.0
    measured(tuner, trial, 1, 3, 0.5, elapsed_s=200.0)
    clock.now_s += 400.0
    tuner.lost(trial.number, 1, "the process died")
    again = begin(tuner)
    clock.now_s += 2000.0
    tuner.failed(again.number, again.attempt, Failure("error", "broken", ""))
    assert (again.attempt, tuner.over) == (2, False)
    other = begin(tuner)
    measured(tuner, other, 1, 3, 0.5, elapsed_s=999.0)
    assert not tuner.over
    assert measured(tuner, other, 2, 3, 0.5, elapsed_s=1000.0) is Decision.PAUSE
    assert sit(spec, folder, clock=clock, gpus=1.0).over


def test_what_is_spent_stays_spent_where_an_attempt_begins_anew(folder: Path) -> None:
    spec = make_spec(trials=9, budget=Budget(trials=9, gpu_hours=1.0))
    tuner = sit(spec, folder, gpus=1.0)
    trial = begin(tuner)
    measured(tuner, trial, 1, 3, 0.5, elapsed_s=2000.0)
    tuner.lost(trial.number, 1, "the process died")
    again = begin(tuner)
    assert measured(tuner, again, 1, 3, 0.5, elapsed_s=1500.0) is Decision.CONTINUE
    assert measured(tuner, again, 2, 3, 0.5, elapsed_s=1700.0) is Decision.PAUSE  # 3700 s together


def test_a_budget_is_met_by_its_trials_or_its_gpu_hours(folder: Path) -> None:
    spec = make_spec(trials=2, budget=Budget(trials=2, gpu_hours=1.0, time_s=1.0))
    tuner = sit(spec, folder, gpus=1.0)
    finish(tuner, 0.5)
    assert unfinished(tuner.study, spec.budget) == "1 of 2 trials"
    measured(tuner, begin(tuner), 1, 3, 0.5, elapsed_s=3700.0)
    assert unfinished(tuner.study, spec.budget) is None
    assert unfinished(tuner.study, Budget(trials=2)) == "1 of 2 trials"  # the other trial runs
    assert unfinished(tuner.study, Budget(trials=1)) is None


def test_a_trial_that_is_queued_by_another_process_is_the_next_one(folder: Path) -> None:
    tuner = sit(make_spec(trials=3), folder)
    finish(tuner, 0.5)
    find_study("study", folder).enqueue_trial({"learning_rate": 2e-5})
    assert begin(tuner).config.learning_rate == 2e-5
