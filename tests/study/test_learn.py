"""What is learned from a real earlier study, and when it is refused."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoft.data.prepare import examine
from autoft.errors import StudyError
from autoft.spec.space import Choice, Condition, Parameter, Range, Value
from autoft.spec.study import SearchMethod, StudySpec
from autoft.spec.tasks import TASKS
from autoft.study import learn as module
from autoft.study.identity import identity_of
from autoft.study.layout import study_folder
from autoft.study.learn import inside, lessons_of, quantile
from autoft.study.lessons import Lesson
from autoft.study.likeness import Likeness
from autoft.study.records import INFO_ATTR, read_trials
from autoft.study.start import plan_start
from autoft.study.storage import open_study
from autoft.study.tuner import Tuner

from ..data.prepared import RULES
from .earlier import MODEL, made, make_request, three_splits, write_rows
from .scripted import CONDITIONAL, make_spec, measurement

RATE = Parameter("learning_rate", Range(1e-5, 1e-3, integer=False, log=True))
WIDE = Parameter("learning_rate", Range(1e-6, 1e-1, integer=False, log=True))
FOUR = [
    ({"learning_rate": rate}, (score,))
    for rate, score in ((2e-5, 0.6), (1e-4, 0.9), (5e-4, 0.7), (9e-4, 0.3))
]
"""Rates and scores of finished trials."""


def learning(spec: StudySpec, *names: str, **changes: Any) -> StudySpec:
    return replace(spec, search=replace(spec.search, learn_from=names, **changes))


def lessons(spec: StudySpec) -> tuple[Lesson, ...]:
    return lessons_of(spec, examine(spec.data, RULES), [MODEL])


@pytest.fixture
def new(workdir: Path) -> StudySpec:
    """A request that names the study `old`, on rows of its own."""
    return learning(make_request("new", write_rows(workdir / "new-rows", **three_splits("new"))), "old")


@pytest.fixture
def old(workdir: Path) -> StudySpec:
    """The request of an earlier study on other rows."""
    return make_request("old", write_rows(workdir / "old-rows", **three_splits("old")))


def test_trials_are_learned_with_score_and_place(new: StudySpec, old: StudySpec) -> None:
    made(old, [*FOUR, ({"learning_rate": 3e-4}, (0.8, None))])
    (lesson,) = lessons(new)
    assert (lesson.study, lesson.outside, lesson.beyond) == ("old", 0, 0)
    assert [(t.params["learning_rate"], t.score, t.finished) for t in lesson.trials] == [
        (1e-4, 0.9, True),
        (3e-4, 0.8, False),
        (5e-4, 0.7, True),
        (2e-5, 0.6, True),
        (9e-4, 0.3, True),
    ]
    # Of four: the best is above three and a half; the one that was interrupted above three.
    assert [t.quantile for t in lesson.trials] == [0.875, 0.75, 0.625, 0.375, 0.125]
    assert lesson.middle == pytest.approx(0.65)


def test_where_less_is_better_the_least_is_the_best(new: StudySpec, old: StudySpec) -> None:
    made(replace(old, objective="log_loss"), FOUR)
    (lesson,) = lessons(replace(new, objective="log_loss"))
    assert [(t.score, t.quantile) for t in lesson.trials] == [
        (0.3, 0.875),
        (0.6, 0.625),
        (0.7, 0.375),
        (0.9, 0.125),
    ]
    assert lesson.middle == pytest.approx(0.65)


def test_a_stopped_trial_is_learned_with_where_it_would_have_ended(new: StudySpec, old: StudySpec) -> None:
    # Half way the four finished ones stood 0.1 below their ends; so the other ends 0.1 higher too.
    half = [({"learning_rate": 1e-5 * i}, (end - 0.1, end)) for i, end in enumerate((0.3, 0.5, 0.7, 0.9), 2)]
    made(old, [*half, ({"learning_rate": 8e-4}, (0.7, None))])
    (lesson,) = lessons(new)
    told = next(each for each in lesson.trials if not each.finished)
    assert told.score == pytest.approx(0.8)
    assert told.quantile == 0.75


def test_likeness_is_that_of_the_rows_and_the_models(new: StudySpec, old: StudySpec) -> None:
    study = made(old, FOUR)
    # Words of two letters and more in 16 rows such as "new train 12": new 16, train 16, 10 to 15 once.
    words = (16 * 16 + 6) / (16 * 16 + 16 * 16 + 6)
    expected = Likeness(model=1.0, labels=1.0, words=pytest.approx(words), size=1.0)
    assert lessons(new)[0].likeness == expected
    other = replace(new, models=(replace(new.models[0], name="other", weights="v"),))
    assert lessons(other)[0].likeness.model == 0.5
    study.set_user_attr(INFO_ATTR, {"architectures": {"tiny": MODEL.build}})
    facts = replace(MODEL, name="other")
    assert lessons_of(other, examine(new.data, RULES), [facts])[0].likeness.model == 0.8


def test_the_most_alike_study_comes_first(new: StudySpec, old: StudySpec) -> None:
    made(old, FOUR)
    made(replace(old, study="same", data=new.data), FOUR)
    found = lessons(learning(new, "old", "same"))
    assert [lesson.study for lesson in found] == ["same", "old"]
    assert found[0].likeness.value == pytest.approx(1)


def test_a_study_on_the_same_rows_may_be_learned_from_even_where_rows_are_doubled(
    new: StudySpec, old: StudySpec, workdir: Path
) -> None:
    splits = three_splits("new")
    splits["test"][0] = splits["train"][0]
    data = replace(new.data, path=write_rows(workdir / "doubled", **splits))
    made(replace(old, data=data), FOUR)
    assert len(lessons(replace(new, data=data))[0].trials) == 4


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_study_that_has_seen_test_rows_is_refused(
    split: str, new: StudySpec, old: StudySpec, workdir: Path
) -> None:
    splits = three_splits("old")
    splits[split][:2] = ["NEW  Test\t1", "new test 3"]
    made(replace(old, data=replace(old.data, path=write_rows(workdir / "seen", **splits))), FOUR)
    with pytest.raises(StudyError) as refused:
        lessons(new)
    said = str(refused.value)
    assert said.startswith(
        "study 'new' cannot learn from 'old': 2 of this study's 4 test rows were training or"
    )
    assert "validation rows there: 'new test 1', 'new test 3'. " in said
    assert (
        "remove the study from search.learn_from, or give a test split of rows that it has not seen" in said
    )


def test_earlier_test_rows_are_no_hindrance(new: StudySpec, old: StudySpec, workdir: Path) -> None:
    splits = {**three_splits("old"), "test": three_splits("new")["test"]}
    made(replace(old, data=replace(old.data, path=write_rows(workdir / "tested", **splits))), FOUR)
    assert len(lessons(new)) == 1


def test_without_a_test_split_nothing_can_leak(new: StudySpec, old: StudySpec, workdir: Path) -> None:
    splits = three_splits("new")
    made(replace(old, data=replace(old.data, path=write_rows(workdir / "all", **splits))), FOUR)
    del splits["test"]
    data = replace(new.data, path=write_rows(workdir / "no-test", **splits))
    assert len(lessons(replace(new, data=data))) == 1


def test_of_a_pair_both_columns_must_be_the_same(new: StudySpec, old: StudySpec) -> None:
    both = ("text", "other")
    shared = replace(new.data, inputs=both)
    made(replace(old, data=replace(shared, inputs=("text", "other"), path=old.data.path)), FOUR)
    assert len(lessons(replace(new, data=shared))) == 1
    rows = (Path(str(old.data.path)) / "train.csv").read_text()
    seen = Path(str(new.data.path)) / "test.csv"
    seen.write_text(seen.read_text() + "old train 3,OTHER,red\nold train 4,else,green\n")
    assert "old train 3,other" in rows
    with pytest.raises(StudyError, match=r"1 of this study's 6 test rows .*: \['old train 3', 'OTHER'\]\. "):
        lessons(replace(new, data=shared))


def test_another_objective_and_a_missing_study_are_told_together(new: StudySpec, old: StudySpec) -> None:
    made(replace(old, objective="accuracy"), FOUR)
    with pytest.raises(StudyError) as refused:
        lessons(learning(new, "old", "olt"))
    first, second = str(refused.value).splitlines()
    assert first.startswith(
        "study 'new' cannot learn from 'old': its objective is accuracy, this one's is macro_f1"
    )
    assert second.startswith("study 'new' cannot learn from 'olt': there is none of this name in")
    assert second.endswith("studies/olt; did you mean 'old'?")
    assert not study_folder("olt").exists()


def test_another_task_is_refused(new: StudySpec, old: StudySpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "translation", TASKS[new.task])  # type: ignore[arg-type]  # a dict
    made(replace(old, task="translation"), FOUR)
    with pytest.raises(StudyError, match="its task is translation, this one's is text-classification"):
        lessons(new)


def test_without_its_rows_it_is_unknown_what_it_has_seen(new: StudySpec, old: StudySpec) -> None:
    made(old, FOUR)
    rows = study_folder("old") / "data/rows.arrow"
    kept = rows.read_bytes()
    rows.write_bytes(kept[:100])
    with pytest.raises(
        StudyError, match=r"old/data/rows\.arrow, which holds its rows, is damaged, so it is unknown"
    ):
        lessons(new)
    rows.unlink()
    with pytest.raises(
        StudyError, match=r"'old': .*old/data/rows\.arrow, which holds its rows, is gone, so it is unknown"
    ):
        lessons(new)
    examine(new.data, RULES).write(rows.parent)
    with pytest.raises(StudyError, match="holds other rows than it was made with"):
        lessons(new)
    shutil.rmtree(study_folder("old"))
    with pytest.raises(
        StudyError, match=r"'old': there is none of this name in .*studies/old; check the name"
    ):
        lessons(new)


def test_an_earlier_study_may_lie_where_this_one_does(new: StudySpec, old: StudySpec, workdir: Path) -> None:
    url = f"sqlite:///{workdir}/all.db"
    made(replace(old, search=replace(old.search, storage=url)), FOUR)
    with pytest.raises(StudyError, match="there is none of this name"):
        lessons(new)
    assert len(lessons(learning(new, "old", storage=url))[0].trials) == 4


def test_what_the_space_does_not_hold_is_left_out_and_counted(new: StudySpec, old: StudySpec) -> None:
    wide = make_spec(parameters=[WIDE]).space
    made(replace(old, space=wide), [*FOUR, ({"learning_rate": 5e-2}, (0.95,))])
    (lesson,) = lessons(new)
    assert lesson.outside == 1
    assert [t.params["learning_rate"] for t in lesson.trials] == [1e-4, 5e-4, 2e-5, 9e-4]
    assert lesson.trials[0].quantile == 0.7  # its place among all five


def test_of_many_the_best_are_kept_and_some_of_the_others(
    new: StudySpec, old: StudySpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(old, FOUR)
    monkeypatch.setattr(module, "KEPT", 3)
    (lesson,) = lessons(new)
    assert [t.score for t in lesson.trials] == [0.9, 0.7, 0.3]  # the best one, and both ends of the rest
    assert (lesson.outside, lesson.beyond) == (0, 1)


def test_depths_mean_the_same_only_in_models_of_as_many_blocks(new: StudySpec, old: StudySpec) -> None:
    depth = Parameter("unfreeze_depth", Choice((0, 1, 2, "all")))
    old, new = (replace(spec, space=replace(spec.space, parameters=(RATE, depth))) for spec in (old, new))
    asked: list[Value] = [0, 1, 2, "all"]
    study = made(old, [({"learning_rate": 1e-4, "unfreeze_depth": each}, (0.5,)) for each in asked])
    study.set_user_attr(INFO_ATTR, {"architectures": {"tiny": MODEL.build}})

    def learned(blocks: int) -> tuple[set[Value], int]:
        facts = replace(MODEL, blocks=blocks)
        (lesson,) = lessons_of(new, examine(new.data, RULES), [facts])
        return {each.params["unfreeze_depth"] for each in lesson.trials}, lesson.outside

    assert learned(MODEL.blocks) == ({0, 1, 2, "all"}, 0)
    assert learned(24) == ({0, "all"}, 2)
    # A model that was searched beside it changes nothing.
    both = {"tiny": MODEL.build, "large": replace(MODEL, blocks=24).build}
    study.set_user_attr(INFO_ATTR, {"architectures": both})
    assert learned(MODEL.blocks) == ({0, 1, 2, "all"}, 0)


def test_a_study_of_which_nothing_has_finished_teaches_nothing(new: StudySpec, old: StudySpec) -> None:
    made(old, [({"learning_rate": 1e-4}, (0.5, None))])
    (lesson,) = lessons(new)
    assert (lesson.trials, lesson.outside, lesson.middle) == ((), 0, 0.0)


def test_failed_trials_and_those_without_memory_teach_nothing(new: StudySpec, old: StudySpec) -> None:
    study = made(
        old, [*FOUR, ({"learning_rate": 1.1e-4}, (0.5, None)), ({"learning_rate": 3e-4}, (0.5, None))]
    )
    running = [trial for trial in study.get_trials() if not trial.state.is_finished()]
    module.optuna.trial.Trial(study, running[0]._trial_id).set_constraint("memory", 1.0)
    study.tell(running[0].number, state=module.TrialState.PRUNED)
    study.tell(running[1].number, state=module.TrialState.FAIL)
    assert [t.score for t in lessons(new)[0].trials] == [0.9, 0.7, 0.6, 0.3]


SPACE = make_spec(parameters=CONDITIONAL, fixed={"batch_size": 16}).space
VALUES = {
    **SPACE.resolve({}),
    "unfreeze_depth": 2,
    "dropout": 0.2,
    "learning_rate": 1e-4,
    "weight_decay": 0.1,
}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, {"unfreeze_depth": 2, "learning_rate": 1e-4, "dropout": 0.2}),
        ({"unfreeze_depth": 0}, {"unfreeze_depth": 0, "learning_rate": 1e-4}),  # dropout does not count
        ({"unfreeze_depth": 0, "dropout": 0.9}, {"unfreeze_depth": 0, "learning_rate": 1e-4}),
        ({"unfreeze_depth": 4}, None),
        ({"dropout": 0.5}, None),
        ({"learning_rate": 2e-3}, None),
        ({"batch_size": 64, "epochs": 2}, {"unfreeze_depth": 2, "learning_rate": 1e-4, "dropout": 0.2}),
    ],
)
def test_a_configuration_is_inside_where_all_that_is_searched_is(
    changed: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    assert inside(SPACE, {**VALUES, **changed}) == expected


def test_a_parameter_that_the_earlier_autoft_did_not_have_was_at_its_default() -> None:
    # A new hyperparameter's default is what was done before there was one.
    found = inside(SPACE, {name: value for name, value in VALUES.items() if name != "dropout"})
    assert found == {"unfreeze_depth": 2, "learning_rate": 1e-4, "dropout": SPACE.defaults["dropout"]}


def test_a_fixed_depth_must_be_the_same() -> None:
    fixed = make_spec(parameters=[RATE], fixed={"unfreeze_depth": 2}).space
    assert inside(fixed, VALUES) == {"learning_rate": 1e-4}
    assert inside(fixed, {**VALUES, "unfreeze_depth": 0}) is None


def test_values_take_the_type_and_the_form_of_the_new_space() -> None:
    space = make_spec(
        parameters=[
            Parameter("unfreeze_depth", Choice((0, "all"))),
            Parameter("epochs", Range(1, 9, integer=True)),
            Parameter(
                "dropout", Range(0, 0.4, integer=False, step=0.1), (Condition("unfreeze_depth", ("all",)),)
            ),
        ]
    ).space
    found = inside(space, {"unfreeze_depth": "all", "epochs": 6.0, "dropout": 0})
    assert found == {"unfreeze_depth": "all", "epochs": 6, "dropout": 0.0}
    assert [type(value) for value in found.values()] == [str, int, float]
    assert inside(space, {"unfreeze_depth": "all", "epochs": 6, "dropout": 0.15}) is None


def test_equals_count_half() -> None:
    finished = np.array([0.2, 0.5, 0.5, 0.9])
    assert [quantile(value, finished) for value in (0.1, 0.2, 0.3, 0.5, 0.9, 1.0)] == [
        0,
        1 / 8,
        1 / 4,
        1 / 2,
        7 / 8,
        1,
    ]


def search(spec: StudySpec, trials: int) -> list[tuple[str | None, float]]:
    """Origin and learning rate of the first trials, each of which scores by a formula."""
    rows, folder = examine(spec.data, RULES), study_folder(spec.study)
    found = lessons_of(spec, rows, [MODEL])
    start = plan_start(spec, 2, found)
    study = open_study(spec, folder, identity_of(spec, rows.digest), start, found)
    tuner = Tuner(study, spec, precision="fp32", callbacks=[], folder=folder, max_concurrent=1)
    while len(read_trials(study)) < trials and (next_up := tuner.next()) is not None:
        tuner.measured(next_up.number, 1, measurement(1, 1, next_up.config.learning_rate * 100), "node")
        tuner.completed(next_up.number, 1)
    return [(trial.origin, float(trial.params["learning_rate"])) for trial in read_trials(study)]


TPE = SearchMethod(pruner="none", seed=7, sampler_options={"n_startup_trials": 5}, learn_from=("old",))


def test_the_best_of_earlier_studies_come_after_the_default_and_the_users_own(
    new: StudySpec, old: StudySpec
) -> None:
    made(replace(old, data=new.data), FOUR)
    spec = replace(new, search=TPE, first=({"learning_rate": 3e-5},))
    told = search(spec, 6)
    assert [origin for origin, _ in told] == ["default", "first", *["learned"] * 3, None]
    # By score 1e-4, 5e-4, 2e-5, 9e-4. Within a tenth of two decades of 2e-5 is the user's 3e-5.
    assert [rate for _, rate in told[2:5]] == [1e-4, 5e-4, 9e-4]


def test_a_search_repeats_itself_whatever_becomes_of_the_earlier_study(
    new: StudySpec, old: StudySpec, workdir: Path
) -> None:
    made(replace(old, data=new.data), FOUR)
    spec = replace(new, search=TPE)
    whole = search(spec, 10)
    shutil.copytree(study_folder("new"), workdir / "kept")
    shutil.rmtree(study_folder("new"))
    assert search(spec, 4) == whole[:4]
    shutil.rmtree(study_folder("old"))
    assert search(spec, 10) == whole
    # Without what was learned it is another search.
    shutil.rmtree(study_folder("new"))
    without = replace(spec, search=replace(TPE, learn_from=()))
    assert search(without, 10) != whole


def test_another_learn_from_is_another_study(new: StudySpec, old: StudySpec) -> None:
    made(replace(old, data=new.data), FOUR)
    search(replace(new, search=TPE), 1)
    digest = examine(new.data, RULES).digest
    for names, shown in (
        ((), 'was ["old"], is now []'),
        (("old", "b"), 'was ["old"], is now ["old", "b"]'),
    ):
        spec = replace(new, search=replace(TPE, learn_from=names))
        with pytest.raises(StudyError) as refused:
            open_study(spec, study_folder("new"), identity_of(spec, digest))
        assert f"search.learn_from: {shown}" in str(refused.value)


def test_a_study_that_learns_from_none_is_the_one_that_it_was(new: StudySpec) -> None:
    spec = replace(new, search=replace(TPE, learn_from=()))
    assert "learn_from" not in identity_of(spec, "digest")["search"]


def test_a_random_start_is_not_told_what_to_try(new: StudySpec, old: StudySpec) -> None:
    made(replace(old, data=new.data), FOUR)
    told = search(replace(new, search=replace(TPE, start="random")), 3)
    assert [origin for origin, _ in told] == [None, None, None]
