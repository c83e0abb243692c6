"""Which trials of an earlier study are tried or given to the sampler, and how they are stored."""

from pathlib import Path

import pytest

from autoft.spec.space import Choice, Parameter, Range, SearchSpace
from autoft.study.identity import identity_of
from autoft.study.lessons import EarlierTrial, Lesson, best_of, read_lessons
from autoft.study.likeness import Likeness
from autoft.study.storage import find_study, open_study

from .scripted import make_spec

SPACE = SearchSpace(
    {},
    (
        Parameter("learning_rate", Range(1e-5, 1e-3, integer=False, log=True)),
        Parameter("unfreeze_depth", Choice((0, 2, "all"))),
    ),
    {},
)


def trial(score: float, rate: float = 1e-4, depth: object = 2, *, finished: bool = True) -> EarlierTrial:
    return EarlierTrial({"learning_rate": rate, "unfreeze_depth": depth}, score, score, finished)  # type: ignore[dict-item]


def lesson(alike: float, *trials: EarlierTrial, study: str = "old") -> Lesson:
    return Lesson(study, "id", Likeness(alike, 1, 1, 1), 0.5, trials, 0, 0)


def rates(chosen: list[dict[str, object]]) -> list[object]:
    return [params["learning_rate"] for params in chosen]


@pytest.mark.parametrize(
    ("alike", "tried"), [(1, 3), (0.84, 3), (0.8, 2), (0.5, 2), (0.49, 1), (0.2, 1), (0.19, 0), (0, 0)]
)
def test_fewer_are_tried_of_what_is_less_alike(alike: float, tried: int) -> None:
    assert lesson(alike).tried == tried  # 3 x likeness, rounded to even; none below 0.2


@pytest.mark.parametrize(
    ("alike", "finished", "informing"),
    [(1, 0, 20), (1, 7, 13), (1, 20, 0), (1, 99, 0), (0.5, 0, 10), (0.5, 4, 6), (0.12, 0, 2), (0, 0, 0)],
)
def test_earlier_trials_fade_out(alike: float, finished: int, informing: int) -> None:
    one = lesson(alike, *(trial(1 - i / 50) for i in range(50)))
    assert len(one.informing(finished)) == informing
    assert len({each.score for each in one.informing(finished)}) == informing


def test_those_that_are_heard_are_spread_over_good_and_bad_ones() -> None:
    one = lesson(1, *(trial(1 - i / 41) for i in range(41)))
    scores = [each.score for each in one.informing(15)]
    assert scores == [one.trials[place].score for place in (0, 10, 20, 30, 40)]
    assert [each.score for each in one.informing(19)] == [1]  # the last to go is the best


def test_where_there_are_few_all_are_heard() -> None:
    one = lesson(1, trial(0.9), trial(0.5))
    assert one.informing(0) == [*one.trials]


def test_the_best_distinct_finished_configurations_are_tried() -> None:
    one = lesson(
        1,
        trial(0.95, 9e-4, finished=False),
        trial(0.9, 1e-4),
        trial(0.89, 1.5e-4),  # 0.18 of two decades away from 1e-4, so 0.09 of the range
        trial(0.88, 1e-4, "all"),
        trial(0.87, 1.7e-4),  # 0.115 of the range
        trial(0.86, 8e-4),
    )
    chosen = best_of([one], SPACE, [])
    assert [(each["learning_rate"], each["unfreeze_depth"]) for each in chosen] == [
        (1e-4, 2),
        (1e-4, "all"),
        (1.7e-4, 2),
    ]


def test_what_is_tried_anyhow_is_not_tried_twice() -> None:
    one, other = (
        lesson(1, trial(0.9, 1e-4), trial(0.8, 8e-4)),
        lesson(1, trial(0.7, 7.9e-4), trial(0.6, 2e-5)),
    )
    assert rates(best_of([one, other], SPACE, [{"learning_rate": 1.01e-4, "unfreeze_depth": 2}])) == [
        8e-4,
        2e-5,
    ]
    # What the user has queued in part is another configuration.
    assert rates(best_of([one], SPACE, [{"learning_rate": 1e-4}])) == [1e-4, 8e-4]


def test_lessons_are_read_back_as_they_were(folder: Path) -> None:
    spec = make_spec()
    lessons = (lesson(0.9, trial(0.9), trial(0.1, depth="all", finished=False)), lesson(0.3, study="b"))
    open_study(spec, folder, identity_of(spec, "digest"), lessons=lessons)
    assert read_lessons(find_study("study", folder)) == lessons


def test_a_study_that_stands_keeps_its_own(folder: Path) -> None:
    spec = make_spec()
    for lessons in ((lesson(0.9, trial(0.9)),), (lesson(0.2),), ()):
        study = open_study(spec, folder, identity_of(spec, "digest"), lessons=lessons)
        assert read_lessons(study) == (lesson(0.9, trial(0.9)),)


def test_a_study_without_lessons_has_none(folder: Path) -> None:
    spec = make_spec()
    study = open_study(spec, folder, identity_of(spec, "digest"))
    assert read_lessons(study) == ()
