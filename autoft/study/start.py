"""What a search tries before its sampler learns from results: the recommended configuration, what was best in
earlier studies (`search.learn_from`), then a portfolio.

Ten configurations that together came close to the best on the recorded sets (experiments/select_portfolio.py)
find more than as many random ones. They are written relative to the recommended configuration and to the
depth of the model, so that they mean the same for other data and other models.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import optuna

from autoft.spec.hyperparameters import ALL
from autoft.spec.recommended import recommended
from autoft.spec.space import Choice, Parameter, Range, SearchSpace, Value
from autoft.spec.study import StudySpec
from autoft.study.lessons import Lesson, best_of

START_ATTR = "start"
"""The study's attribute: what it begins with, decided when it is made."""
ORIGIN_ATTR = "origin"
"""A trial's attribute: where its parameters come from, where not from the sampler."""
DEFAULT, FIRST, LEARNED, PORTFOLIO = "default", "first", "learned", "portfolio"
"""Origins: the recommended configuration; what the user queued; earlier studies; the portfolio."""

Params = dict[str, Value]


@dataclass(frozen=True)
class Point:
    """A configuration of the portfolio."""

    rate: float
    """The learning rate, over the recommended one."""
    depth: float | Literal["all"]
    """Trained blocks, over all blocks of the model."""
    dropout: float
    weight_decay: float
    batch_size: int
    epochs: float
    """Over the recommended ones."""


PORTFOLIO_POINTS: tuple[Point, ...] = ()


@dataclass(frozen=True)
class Start:
    """What a study begins with: searched parameters only."""

    default: Params
    portfolio: tuple[Params, ...]
    left_out: int
    """Points of the portfolio that the space does not hold."""
    learned: tuple[Params, ...] = ()
    """The best of earlier studies; tried before the portfolio."""

    @property
    def planned(self) -> list[tuple[str, Params]]:
        """What is tried after all that is queued, in this order, with its origin."""
        return [(LEARNED, each) for each in self.learned] + [(PORTFOLIO, each) for each in self.portfolio]


def plan_start(
    spec: StudySpec,
    rows: int,
    parameters: int,
    blocks: int,
    points: tuple[Point, ...] = PORTFOLIO_POINTS,
    lessons: Sequence[Lesson] = (),
) -> Start | None:
    """What the study begins with; None where `search.start` is random.

    The recommended configuration is moved into the space where it lies outside. A point of the portfolio that
    lies outside is left out.

    Args:
        spec: the request, fitted to its models.
        rows: of the training split.
        parameters: of the first model.
        blocks: of the first model.
        points: the portfolio.
        lessons: from earlier studies, the most alike first.
    """
    if spec.search.start == "random":
        return None
    usual = recommended(rows, parameters)
    default = dict(_nearest(spec.space, {**spec.space.resolve({}), **usual}, blocks))
    learned = best_of(lessons, spec.space, [default, *_queued(spec)])
    inside: list[Params] = []
    for point in points:
        params = _inside(spec.space, _values(point, usual, blocks), blocks)
        if params is not None and params not in (default, *learned, *inside):
            inside.append(params)
    return Start(default, tuple(inside), len(points) - len(inside), tuple(learned))


def _queued(spec: StudySpec) -> Iterator[Params]:
    """What the user has queued, searched parameters only."""
    searched = {parameter.name for parameter in spec.space.parameters}
    for params in spec.first:
        yield {name: value for name, value in params.items() if name in searched}


def write_start(study: optuna.Study, start: Start | None) -> None:
    """Stores what a new study begins with, and queues the recommended configuration."""
    if start is not None:
        study.set_user_attr(START_ATTR, asdict(start))
        study.enqueue_trial(start.default, user_attrs={ORIGIN_ATTR: DEFAULT}, skip_if_exists=True)


def read_start(study: optuna.Study) -> Start | None:
    """What the study began with; None where that was the sampler."""
    stored: dict[str, Any] | None = study.user_attrs.get(START_ATTR)
    if stored is None:
        return None
    points = {name: tuple(stored.get(name, ())) for name in ("portfolio", "learned")}
    return Start(**{**stored, **points})


def _values(point: Point, usual: Mapping[str, Value], blocks: int) -> Params:
    return {
        **usual,
        "learning_rate": float(usual["learning_rate"]) * point.rate,
        "unfreeze_depth": ALL if point.depth == ALL else round(float(point.depth) * blocks),
        "dropout": point.dropout,
        "weight_decay": point.weight_decay,
        "batch_size": point.batch_size,
        "epochs": max(1, round(float(usual["epochs"]) * point.epochs)),
    }


def _nearest(space: SearchSpace, values: Mapping[str, Value], blocks: int) -> Iterator[tuple[str, Value]]:
    """The searched parameters that count, each at the value of its domain that is nearest to `values`."""
    params: Params = {}
    for parameter in space.parameters:
        if space.active(parameter, params):
            params[parameter.name] = nearest(parameter, values[parameter.name], blocks)
    yield from params.items()


def _inside(space: SearchSpace, values: Mapping[str, Value], blocks: int) -> Params | None:
    """The same; None where a value is not in its domain, or the space has fixed it to another one."""
    params = dict(_nearest(space, {**space.resolve({}), **values}, blocks))
    for parameter in space.parameters:
        if parameter.name not in params or parameter.name not in values:
            continue
        value, taken = values[parameter.name], params[parameter.name]
        if isinstance(parameter.domain, Range) and not _near(float(value), float(taken)):
            return None
        if isinstance(parameter.domain, Choice) and _far(value, taken, blocks):
            return None
    return params


def nearest(parameter: Parameter, value: Value, blocks: int) -> Value:
    """The value of the parameter's domain that is nearest to `value`: of numbers by ratio, of depths by blocks."""
    domain = parameter.domain
    if isinstance(domain, Choice):
        if value in domain.values:
            return value
        numbers = [each for each in domain.values if _number(each, blocks) is not None]
        wanted = _number(value, blocks)
        if wanted is None or not numbers:
            return domain.values[0]
        return min(numbers, key=lambda each: abs((_number(each, blocks) or 0.0) - wanted))
    clipped = min(domain.high, max(domain.low, _number(value, blocks) or 0.0))
    if domain.step is not None:
        clipped = domain.low + round((clipped - domain.low) / domain.step) * domain.step
    return round(clipped) if domain.integer else float(clipped)


def _number(value: Value, blocks: int) -> float | None:
    """`all` is one more than all blocks; None for a word."""
    if value == ALL:
        return blocks + 1.0
    return float(value) if isinstance(value, int | float) else None


def _near(value: float, taken: float) -> bool:
    """Whether a number stayed what it was, up to a step or rounding."""
    return abs(taken - value) <= 0.1 * abs(value)


def _far(value: Value, taken: Value, blocks: int) -> bool:
    """Whether a choice is another one: a depth more than a quarter of the model away, or not the same."""
    one, other = _number(value, blocks), _number(taken, blocks)
    if one is None or other is None:
        return value != taken
    return abs(one - other) > max(1.0, blocks / 4) and value != taken
