"""What a search tries before its sampler learns from results: the recommended configuration, the same with
fewer trained blocks, and the best of earlier studies (`search.learn_from`)."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import optuna

from autoft.spec.hyperparameters import ALL
from autoft.spec.recommended import (
    DEPTH,
    RATE,
    deepest_share,
    shallow_learning_rate,
    share_depths,
    with_recommended,
)
from autoft.spec.space import Choice, Range, SearchSpace, Value
from autoft.spec.study import StudySpec
from autoft.spec.tasks import HYPERPARAMETERS
from autoft.study.lessons import Lesson, best_of
from autoft.study.origin import DEFAULT, LEARNED, ORIGIN_ATTR, SHALLOW

START_ATTR = "start"
"""The study's attribute: what it begins with, decided when it is created."""
_BY_RATIO = frozenset(name for name, each in HYPERPARAMETERS.items() if each.by_ratio)
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
    default = _nearest(spec.space, blocks)
    tried = [default, *_queued(spec)]
    shallow = [params for params in _shallow(spec.space, blocks) if params not in tried]
    return Start(default, tuple(shallow), tuple(best_of(lessons, spec.space, [*tried, *shallow])))


def _shallow(space: SearchSpace, blocks: int) -> Iterator[Params]:
    """The recommended configuration at the searched depths nearest to `share_depths`, each once.

    Each has the learning rate of its share (`shallow_learning_rate`), as near as the space allows.
    """
    domain = next((each.domain for each in space.parameters if each.name == DEPTH), None)
    if domain is None:
        return
    rate, deepest = float(space.resolve({})[RATE]), deepest_share(space, blocks)
    wanted = [_nearest_value(DEPTH, domain, depth, blocks) for depth in share_depths(blocks)]
    for depth in dict.fromkeys(wanted):
        trained = _number(depth, blocks) or 0.0
        if 0 < trained < blocks:
            fewer = {DEPTH: depth, RATE: shallow_learning_rate(rate, trained / blocks / deepest)}
            params = _nearest(with_recommended(space, fewer), blocks)
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


def _nearest(space: SearchSpace, blocks: int) -> Params:
    """The searched parameters that count, each at the value of its domain that is nearest to its default."""
    wanted = space.resolve({})
    params: Params = {}
    for parameter in space.parameters:
        if space.active(parameter, params):
            value = wanted.get(parameter.name)
            params[parameter.name] = _nearest_value(parameter.name, parameter.domain, value, blocks)
    return params


def _nearest_value(name: str, domain: Choice | Range, value: Value | None, blocks: int) -> Value:
    """The value nearest to `value`; if no word matches, the first one, such as the model named first."""
    wanted = _number(value, blocks)
    if isinstance(domain, Choice):
        if value is not None and value in domain.values:
            return value
        if wanted is None:
            return domain.values[0]
        known = [each for each in domain.values if _number(each, blocks) is not None]
        by_ratio = name in _BY_RATIO
        return min(known, key=lambda each: _distance(_number(each, blocks) or 0.0, wanted, by_ratio=by_ratio))
    moved = min(domain.high, max(domain.low, wanted or 0.0))
    if domain.step is not None:
        moved = domain.low + round((moved - domain.low) / domain.step) * domain.step
    return round(moved) if domain.integer else float(moved)


def _distance(one: float, other: float, *, by_ratio: bool) -> float:
    if by_ratio and one > 0 and other > 0:
        return abs(math.log(one / other))
    return abs(one - other)


def _number(value: Value | None, blocks: int) -> float | None:
    """The value as a number: the depth `all` is one more than all blocks; None for another word."""
    if value == ALL:
        return blocks + 1.0
    return float(value) if isinstance(value, int | float) else None
