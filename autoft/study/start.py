"""What a search tries before its sampler learns from results: the recommended configuration, the same with
fewer trained blocks, and the best of earlier studies (`search.learn_from`)."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import optuna

from autoft.spec.nearest import nearest, nearest_value, trained_share
from autoft.spec.recommended import (
    DEPTH,
    RATE,
    shallow_learning_rate,
    share_depths,
    with_recommended,
)
from autoft.spec.space import SearchSpace, Value
from autoft.spec.study import StudySpec
from autoft.study.lessons import Lesson, best_of
from autoft.study.origin import DEFAULT, LEARNED, ORIGIN_ATTR, SHALLOW

START_ATTR = "start"
"""The study's attribute: what it begins with, decided when it is created."""
Params = dict[str, Value]


@dataclass(frozen=True)
class Start:
    """The configurations that a study begins with; searched parameters only."""

    default: Params
    """The recommended configuration, trial 0."""
    shallow: tuple[Params, ...] = ()
    """The same with fewer trained blocks, tried after what the user has queued."""
    learned: tuple[Params, ...] = ()
    """The best ones of earlier studies, tried after those."""

    @property
    def after_first(self) -> list[tuple[str, Params]]:
        """Origin and parameters of what is tried after trial 0 and the user's own, in order."""
        return [*((SHALLOW, each) for each in self.shallow), *((LEARNED, each) for each in self.learned)]


def plan_start(spec: StudySpec, blocks: int, lessons: Sequence[Lesson] = ()) -> Start | None:
    """What the study begins with; None if `search.start` is random.

    The recommended configuration is moved into the space if it lies outside.

    Args:
        spec: the request, fitted to its models: its defaults are the recommended values.
        blocks: number of blocks of the first model.
        lessons: from earlier studies, the most alike first.
    """
    if spec.search.start == "random":
        return None
    default = nearest(spec.space, blocks)
    tried = [default, *_queued(spec)]
    shallow = [params for params in _shallow(spec.space, default, blocks) if params not in tried]
    return Start(default, tuple(shallow), tuple(best_of(lessons, spec.space, [*tried, *shallow])))


def _shallow(space: SearchSpace, default: Params, blocks: int) -> Iterator[Params]:
    """The recommended configuration at the searched depths nearest to `share_depths`, each once.

    They are fewer blocks than those of the `default`. Each has the learning rate of its share
    (`shallow_learning_rate`), as near as the space allows.
    """
    domain = next((each.domain for each in space.parameters if each.name == DEPTH), None)
    if domain is None:
        return
    rate, deepest = float(space.resolve({})[RATE]), trained_share(space.resolve(default)[DEPTH], blocks)
    wanted = [nearest_value(DEPTH, domain, depth, blocks) for depth in share_depths(blocks)]
    for depth in dict.fromkeys(wanted):
        share = trained_share(depth, blocks)
        if 0 < share < deepest:
            fewer = {DEPTH: depth, RATE: shallow_learning_rate(rate, share / deepest)}
            params = nearest(with_recommended(space, fewer), blocks)
            if DEPTH in params:  # else it does not count there, and all blocks would be trained
                yield params


def _queued(spec: StudySpec) -> Iterator[Params]:
    """What the user has queued, searched parameters only."""
    searched = {parameter.name for parameter in spec.space.parameters}
    for params in spec.first:
        yield {name: value for name, value in params.items() if name in searched}


def write_start(study: optuna.Study, start: Start | None) -> None:
    """Stores what a new study begins with."""
    study.set_user_attr(START_ATTR, asdict(start) if start else None)


def queue_default(study: optuna.Study) -> None:
    """Queues the recommended configuration that the study begins with, unless it has been queued."""
    start = read_start(study)
    trials = study.get_trials(deepcopy=False)
    if start is not None and not any(each.user_attrs.get(ORIGIN_ATTR) == DEFAULT for each in trials):
        study.enqueue_trial(start.default, user_attrs={ORIGIN_ATTR: DEFAULT})


def read_start(study: optuna.Study) -> Start | None:
    """What the study begins with; None if it begins with the sampler."""
    stored: dict[str, Any] | None = study.user_attrs.get(START_ATTR)
    if not stored:
        return None
    # A study of an earlier version has begun without the shallow ones.
    return Start(stored["default"], tuple(stored.get("shallow", ())), tuple(stored["learned"]))
