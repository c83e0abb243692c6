"""What a study learns from earlier ones: a snapshot of their trials, stored when the study is created.

It is stored so that the search can be repeated whatever happens to the earlier studies.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import optuna

from autoft.spec.space import Choice, Range, SearchSpace, Value
from autoft.study.likeness import Likeness

LESSONS_ATTR = "lessons"
"""The study's attribute that holds its lessons."""
INFORMING = 20
"""Trials of an earlier study of likeness 1 that the sampler is given at the beginning."""
TRIED = 3
"""Configurations of an earlier study of likeness 1 that are tried after the default, what is queued, and
fewer trained blocks."""
CLOSE = 0.1
"""Share of a range, on its own scale, within which two values hardly differ."""
UNLIKE = 0.2
"""Likeness below which none of an earlier study's configurations is tried."""


@dataclass(frozen=True)
class EarlierTrial:
    """A measured trial of an earlier study."""

    params: dict[str, Value]
    """The parameters that the new study searches and that count."""
    score: float
    """The objective at its full budget, or its likely value there (`Curves.at_full_budget`)."""
    quantile: float
    """The share of its study's complete trials that it was better than; equal ones count half."""
    finished: bool
    """Whether it is complete."""


@dataclass(frozen=True)
class Lesson:
    """What is learned from one earlier study."""

    study: str
    id: str
    """See `storage.study_id`."""
    likeness: Likeness
    middle: float
    """The median score of its complete trials; 0 if there is none."""
    trials: tuple[EarlierTrial, ...]
    """The best one first."""
    outside: int
    """Measured trials that were left out, because they lie outside the new study's space."""
    beyond: int
    """Measured trials that were left out, because enough others are better."""

    @property
    def tried(self) -> int:
        """How many of its configurations are tried before anything is sampled."""
        alike = self.likeness.value
        return 0 if alike < UNLIKE else round(TRIED * alike)

    def informing(self, finished: int) -> list[EarlierTrial]:
        """The trials that the sampler is given when `finished` trials of its own study are complete.

        There are fewer of them, the less alike the studies are and the more complete trials the new study
        has. They are spread evenly over good and bad ones.
        """
        count = min(len(self.trials), max(0, round(INFORMING * self.likeness.value) - finished))
        places = np.linspace(0, len(self.trials) - 1, count).round().astype(int)
        return [self.trials[place] for place in places]


def best_of(
    lessons: Sequence[Lesson], space: SearchSpace, tried: Sequence[dict[str, Value]]
) -> list[dict[str, Value]]:
    """The best finished configurations of earlier studies that differ from each other and from `tried`.

    Up to `Lesson.tried` of each study.
    """
    chosen: list[dict[str, Value]] = []
    for lesson in lessons:
        distinct: list[dict[str, Value]] = []
        for each in lesson.trials:
            seen = [*tried, *chosen, *distinct]
            if each.finished and not any(_hardly_differ(space, each.params, other) for other in seen):
                distinct.append(each.params)
        chosen += distinct[: lesson.tried]
    return chosen


def _hardly_differ(space: SearchSpace, one: dict[str, Value], other: dict[str, Value]) -> bool:
    """Whether two configurations have the same words and depths, and numbers within CLOSE of their range."""
    domains = {parameter.name: parameter.domain for parameter in space.parameters}
    return one.keys() == other.keys() and all(_close(domains[n], one[n], other[n]) for n in one)


def _close(domain: Choice | Range, one: Value, other: Value) -> bool:
    if isinstance(domain, Choice):
        return one == other
    scale = math.log if domain.log else float
    return abs(scale(float(one)) - scale(float(other))) <= CLOSE * (scale(domain.high) - scale(domain.low))


def write_lessons(study: optuna.Study, lessons: Sequence[Lesson]) -> None:
    """Stores what a new study learns from earlier ones."""
    study.set_user_attr(LESSONS_ATTR, [asdict(lesson) for lesson in lessons])


def read_lessons(study: optuna.Study) -> tuple[Lesson, ...]:
    """What the study has learned from earlier ones, the most alike first."""
    stored: list[dict[str, Any]] = study.user_attrs.get(LESSONS_ATTR, [])
    return tuple(
        Lesson(
            **{
                **each,
                "likeness": Likeness(**each["likeness"]),
                "trials": tuple(EarlierTrial(**trial) for trial in each["trials"]),
            }
        )
        for each in stored
    )
