"""What a study begins with, in whatever space."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage

from autoft.errors import StudyError
from autoft.spec.read import read_spec
from autoft.spec.recommended import recommended, recommended_learning_rate, with_recommended
from autoft.spec.study import StudySpec
from autoft.study.identity import identity_of
from autoft.study.lessons import Lesson, read_lessons
from autoft.study.likeness import Likeness
from autoft.study.records import read_trials
from autoft.study.start import Start, plan_start, read_start
from autoft.study.storage import open_study
from autoft.study.tuner import Tuner

from .scripted import CONDITIONAL, make_spec, measurement

USUAL, BLOCKS = recommended(rows=2_000, labels=4, parameters=110_000_000), 12


def spec_of(model: object = "org/name", **space: object) -> StudySpec:
    spec = read_spec(
        {
            "study": "s",
            "task": "text-classification",
            "model": model,
            "data": {"inputs": "text", "target": "label"},
            "objective": "macro_f1",
            "space": space,
            "budget": {"trials": 5},
        },
        in_memory_data=True,
    )
    return replace(spec, space=with_recommended(spec.space, USUAL))


def start_of(spec: StudySpec) -> Start:
    start = plan_start(spec, BLOCKS)
    assert start is not None
    return start


def test_the_default_is_the_recommended_configuration_of_what_is_searched() -> None:
    default = start_of(spec_of(batch_size=[16, 32])).default
    names = {"learning_rate", "unfreeze_depth", "dropout", "weight_decay", "batch_size"}
    assert default.keys() & names == names
    assert all(default[name] == USUAL[name] for name in default)


def test_outside_the_space_the_default_is_moved_to_what_is_nearest_there() -> None:
    spec = spec_of(
        learning_rate={"low": 1e-6, "high": 1e-5, "log": True},
        unfreeze_depth=[0, 2, 8],
        dropout={"low": 0.25, "high": 0.4},
        weight_decay=0.3,
        batch_size=[64, 128],
        epochs={"low": 1, "high": 2},
    )
    assert start_of(spec).default == {
        "learning_rate": 1e-5,
        "unfreeze_depth": 8,  # `all` is more than all 12 blocks
        "dropout": 0.25,
        "batch_size": 64,
        "epochs": 2,
    }


def test_rates_are_near_by_their_ratio() -> None:
    # 5e-5 is half of 1e-4 and five times 1e-5; by difference 1e-5 is nearer.
    assert start_of(spec_of(learning_rate=[1e-5, 1e-4])).default["learning_rate"] == 1e-4


def test_a_step_of_the_space_is_kept() -> None:
    default = start_of(spec_of(dropout={"low": 0.06, "high": 0.36, "step": 0.06})).default
    assert default["dropout"] == pytest.approx(0.12)


def shallow_of(spec: StudySpec, blocks: int = BLOCKS) -> list[tuple[object, object]]:
    start = plan_start(spec, blocks)
    assert start is not None
    return [(params["unfreeze_depth"], params.get("learning_rate")) for params in start.shallow]


FIXED = {"dropout": 0.1, "weight_decay": 0.01, "batch_size": 16, "epochs": 3}
WIDE = {"low": 1e-6, "high": 1e-2, "log": True}


def test_then_it_is_tried_with_fewer_trained_blocks_and_a_larger_rate() -> None:
    spec = spec_of(unfreeze_depth=[0, 1, 2, 4, 8, "all"], learning_rate=WIDE)
    assert shallow_of(spec) == [(2, 3e-4), (4, 1.5e-4), (8, 7.5e-5)]  # 5e-5 times 12 / depth
    start = start_of(spec)
    for params in start.shallow:
        changed = {name for name in params if params[name] != start.default[name]}
        assert changed == {"unfreeze_depth", "learning_rate"}


@pytest.mark.parametrize(
    ("depths", "found"),
    [
        ([0, 3, "all"], [3]),  # near to a sixth, a third and two thirds
        ({"low": 0, "high": 12}, [2, 4, 8]),
        ({"low": 0, "high": 3}, [2]),  # the default trains 3
        ([0, "all"], []),
        ([0, 12], []),
        ("all", []),
    ],
)
def test_only_searched_depths_between_none_and_all_are_tried(depths: object, found: list[int]) -> None:
    assert [depth for depth, _ in shallow_of(spec_of(unfreeze_depth=depths, learning_rate=WIDE))] == found


def test_a_model_of_few_blocks_has_few_shares() -> None:
    spec = spec_of(unfreeze_depth={"low": 0, "high": 3}, learning_rate=WIDE)
    assert [depth for depth, _ in shallow_of(spec, blocks=3)] == [1, 2]
    assert shallow_of(spec, blocks=1) == []


def test_a_larger_rate_stays_in_the_space() -> None:
    narrow = {"low": 1e-5, "high": 1e-4, "log": True}
    assert shallow_of(spec_of(unfreeze_depth=[4, 8, "all"], learning_rate=narrow)) == [(4, 1e-4), (8, 7.5e-5)]
    assert shallow_of(spec_of(unfreeze_depth=[4, "all"], learning_rate=1e-4)) == [(4, None)]


def test_where_the_depth_does_not_count_nothing_is_tried_with_fewer_blocks() -> None:
    depth = {"values": [0, 2, "all"], "when": {"model": "org/two"}}
    assert start_of(spec_of(["org/one", "org/two"], unfreeze_depth=depth)).shallow == ()


def test_what_the_user_has_queued_is_not_tried_twice() -> None:
    spec = spec_of(unfreeze_depth=[0, 2, 4, "all"], learning_rate=1e-4, **FIXED)
    assert start_of(spec).shallow == ({"unfreeze_depth": 2}, {"unfreeze_depth": 4})
    queued = replace(spec, first=({"unfreeze_depth": 2},))
    assert start_of(queued).shallow == ({"unfreeze_depth": 4},)


def test_a_study_of_before_there_were_fewer_blocks_goes_on_without(folder: Path) -> None:
    spec = make_spec(parameters=CONDITIONAL)
    study = open_study(spec, folder, identity_of(spec, "digest"), Start({"learning_rate": 1e-4}))
    study.set_user_attr("start", {"default": {"learning_rate": 1e-4}, "learned": []})
    assert read_start(study) == Start({"learning_rate": 1e-4})


def test_what_does_not_count_is_left_out() -> None:
    space = {
        "unfreeze_depth": [0, 2],
        "weight_decay": {"low": 1e-3, "high": 0.1, "log": True, "unless": {"unfreeze_depth": 2}},
    }
    assert "weight_decay" not in start_of(spec_of(**space)).default


def test_of_several_models_the_default_has_the_first() -> None:
    assert start_of(spec_of(["org/one", "org/two"])).default["model"] == "org/one"


def test_a_random_start_has_no_default() -> None:
    spec = spec_of()
    spec = replace(spec, search=replace(spec.search, start="random"))
    assert plan_start(spec, BLOCKS) is None


def test_few_rows_and_many_labels_get_more_epochs() -> None:
    def epochs(rows: int, labels: int = 2) -> object:
        return recommended(rows, labels, 110_000_000)["epochs"]

    # 600 updates of 16 rows; of 77 labels 200 sqrt(77) = 1755.
    assert [epochs(rows) for rows in (100, 800, 2_000, 1_000_000)] == [20, 12, 5, 3]
    assert (epochs(2_000, 9), epochs(2_000, 77)) == (5, 15)


def test_small_models_get_larger_rates_within_bounds() -> None:
    # 5e-5 (110 M / parameters)^0.75
    assert [recommended_learning_rate(m * 10**6) for m in (1, 22, 110, 340, 7_000)] == [
        5e-4,
        1.7e-4,
        5e-5,
        2.1e-5,
        1e-5,
    ]


def test_default_then_what_the_user_queued_then_fewer_blocks_then_earlier_studies_then_the_sampler(
    folder: Path,
) -> None:
    learned = ({"unfreeze_depth": 1, "learning_rate": 2e-4}, {"unfreeze_depth": 2, "learning_rate": 3e-4})
    shallow = ({"unfreeze_depth": 2, "learning_rate": 4e-4},)
    start = Start({"unfreeze_depth": 0, "learning_rate": 1e-4}, shallow, learned)
    first = ({"unfreeze_depth": "all", "learning_rate": 9e-4},)
    spec = make_spec(trials=7, parameters=CONDITIONAL, first=first)

    def go_on(count: int) -> Tuner:
        study = open_study(spec, folder, identity_of(spec, "digest"), start)
        tuner = Tuner(study, spec, precision="fp32", callbacks=[], folder=folder, max_concurrent=1)
        for _ in range(count):
            begun = tuner.next()
            assert begun is not None
            tuner.measured(begun.number, 1, measurement(1, 1, 0.5), "node")
            tuner.completed(begun.number, 1)
        return tuner

    go_on(1)
    go_on(2)  # a later session goes on where the start stands
    study = go_on(4).study
    trials = read_trials(study)
    assert [trial.origin for trial in trials] == [
        "default",
        "first",
        "shallow",
        "learned",
        "learned",
        None,
        None,
    ]
    depths = [trial.params["unfreeze_depth"] for trial in trials]
    rates = [trial.params["learning_rate"] for trial in trials]
    assert depths[:5] == [0, "all", 2, 1, 2]
    assert rates[:5] == [1e-4, 9e-4, 4e-4, 2e-4, 3e-4]
    assert "dropout" in trials[3].params  # what a point does not say is sampled
    assert read_start(study) == start


def test_a_study_keeps_the_start_that_it_was_made_with(folder: Path) -> None:
    spec = make_spec(parameters=CONDITIONAL)
    made = Start({"learning_rate": 1e-4})
    open_study(spec, folder, identity_of(spec, "digest"), made)
    again = open_study(spec, folder, identity_of(spec, "digest"), Start({"learning_rate": 2e-4}))
    assert read_start(again) == made
    assert len(again.get_trials()) == 1


def test_without_a_start_nothing_is_queued(folder: Path) -> None:
    spec = make_spec(parameters=CONDITIONAL)
    study = open_study(spec, folder, identity_of(spec, "digest"))
    assert read_start(study) is None
    assert study.get_trials() == []


@pytest.mark.parametrize("writes", range(9))
def test_killed_while_it_is_made_a_study_begins_as_the_next_request_says(
    writes: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven writes make a study, the last two are its identity and its first trial."""
    was, now = make_spec(parameters=CONDITIONAL), make_spec(parameters=CONDITIONAL, fixed={"epochs": 3})
    lesson = Lesson("old", "id", Likeness(1, 1, 1, 1), 0.5, (), 0, 0)
    made = Start({"learning_rate": 1e-4}), (lesson,)

    def opened(spec: StudySpec, start: Start | None, lessons: tuple[Lesson, ...]) -> optuna.Study:
        return open_study(spec, folder, identity_of(spec, "digest"), start, lessons)

    with monkeypatch.context() as patched:
        _killed_after(writes, patched)
        with suppress(Killed):
            opened(was, *made)
    has_identity = writes >= 6
    if not has_identity:
        study = opened(now, None, ())
        assert (read_start(study), read_lessons(study), study.get_trials()) == (None, (), [])
        return
    with pytest.raises(StudyError, match="another request"):
        opened(now, None, ())
    study = opened(was, None, ())
    assert (read_start(study), read_lessons(study)) == made
    assert [trial.user_attrs for trial in study.get_trials()] == [{"origin": "default"}]


class Killed(BaseException):
    """The process ends here."""


def _killed_after(writes: int, patched: pytest.MonkeyPatch) -> None:
    """Of attributes of a study and of trials."""
    left = writes

    def deadly(write: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*arguments: object, **options: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return write(*arguments, **options)

        return wrapped

    for name in ("set_study_user_attr", "create_new_trial"):
        patched.setattr(RDBStorage, name, deadly(getattr(RDBStorage, name)))
