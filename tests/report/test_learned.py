"""What is said of earlier studies."""

import io

from rich.console import Console

from autoft.report.learned import lines, tell
from autoft.study.lessons import EarlierTrial, Lesson
from autoft.study.likeness import Likeness
from autoft.study.start import Start

ALIKE = Likeness(model=0.8, labels=1.0, words=0.912345, size=0.9)  # 0.8 x 0.956 x 0.9


def lesson(trials=30, outside=0, beyond=0, likeness=ALIKE, study="tickets"):
    told = tuple(EarlierTrial({}, 1 - i / 99, 1 - i / 99, finished=True) for i in range(trials))
    return Lesson(study, "id", likeness, 0.5, told, outside, beyond)


def test_a_line_tells_the_likeness_and_its_parts_and_how_many_are_heard():
    assert lines([lesson()], "tpe", None) == [
        "tickets, likeness 0.69 (model 0.8, labels 1, words 0.91, size 0.9): "
        "14 trials inform the sampler, fewer as trials finish here"
    ]


def test_what_is_left_out_is_told():
    (line,) = lines([lesson(outside=4, beyond=12)], "tpe", None)
    assert line.endswith(
        "finish here; 4 skipped: outside this search space or its depths; 12 skipped: 30 are better"
    )
    (line,) = lines([lesson(trials=0, outside=4)], "tpe", None)
    assert line.endswith(": no trial informs the sampler; 4 skipped: outside this search space or its depths")
    (line,) = lines([lesson(trials=0)], "tpe", None)
    assert line.endswith(": no trial informs the sampler, because none of its trials has finished")
    (line,) = lines([lesson(likeness=Likeness(0.5, 0, 0.04, 1))], "tpe", None)
    assert line.endswith(": no trial informs the sampler")
    (line,) = lines([lesson(trials=1)], "gp", None)
    assert line.endswith(": 1 trial informs the sampler, fewer as trials finish here")


def test_a_sampler_that_learns_nothing_is_told():
    (line,) = lines([lesson()], "random", None)
    assert line.endswith("the sampler random learns nothing")


def test_what_is_tried_first_is_counted_over_all(caplog):
    out = io.StringIO()
    start = Start({}, learned=({"a": 1}, {"a": 2}))
    with caplog.at_level("INFO"):
        tell([lesson(), lesson(study="b")], "tpe", start, Console(file=out, width=20))
    said = out.getvalue().splitlines()
    assert [line.split(",")[0] for line in said] == [
        "learned: tickets",
        "learned: b",
        "learned: 2 configurations from there come before the rest",
    ]
    assert caplog.messages == said


def test_nothing_is_said_where_nothing_is_learned():
    out = io.StringIO()
    tell((), "tpe", Start({}), Console(file=out))
    assert out.getvalue() == ""
