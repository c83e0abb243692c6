"""Prints what a study learns from earlier ones."""

import logging
from collections.abc import Sequence

from rich.console import Console

from autoft.report import words
from autoft.report.printing import say
from autoft.study.lessons import Lesson
from autoft.study.sampler import LEARNING
from autoft.study.start import Start

_log = logging.getLogger(__name__)


def lines(lessons: Sequence[Lesson], sampler: str, start: Start | None) -> list[str]:
    """A line about each earlier study, and one about how many of their configurations are tried early."""
    said = [f"{_likeness(lesson)}: {_informing(lesson, sampler)}{_left_out(lesson)}" for lesson in lessons]
    if start is not None and start.learned:
        verb = "comes" if len(start.learned) == 1 else "come"
        said.append(f"{words.count(len(start.learned), 'configuration')} from there {verb} before the rest")
    return said


def tell(lessons: Sequence[Lesson], sampler: str, start: Start | None, console: Console) -> None:
    """Says at the start of a session what was learned when the study was made."""
    for line in lines(lessons, sampler, start):
        _log.info("learned: %s", line)
        say(console, f"learned: {line}", "dim")


def _likeness(lesson: Lesson) -> str:
    alike = lesson.likeness
    parts = ", ".join(f"{name} {part:.2g}" for name, part in vars(alike).items())
    return f"{lesson.study}, likeness {alike.value:.2f} ({parts})"


def _informing(lesson: Lesson, sampler: str) -> str:
    if sampler not in LEARNING:
        return f"the sampler {sampler} learns nothing"
    informing = len(lesson.informing(0))
    if not informing:
        return "no trial informs the sampler"
    verb = "informs" if informing == 1 else "inform"
    return f"{words.count(informing, 'trial')} {verb} the sampler, fewer as trials finish here"


def _left_out(lesson: Lesson) -> str:
    said = ""
    if not (lesson.trials or lesson.outside):
        said += ", because none of its trials has finished"
    if lesson.outside:
        said += f"; {lesson.outside:,} skipped: outside this search space or its depths"
    if lesson.beyond:
        said += f"; {lesson.beyond:,} skipped: {len(lesson.trials)} are better"
    return said
