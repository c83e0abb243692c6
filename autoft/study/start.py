"""What a search tries before its sampler learns: the recommended configuration, the best of earlier studies
(`search.learn_from`), then a portfolio.

The portfolio's configurations are written relative to the recommended one and to the depth of the model, so
that they mean the same for other data and other models. How they were chosen is in experiments/LOG.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import optuna

from autoft.spec.hyperparameters import ALL
from autoft.spec.recommended import recommended
from autoft.spec.space import Choice, Parameter, SearchSpace, Value
from autoft.spec.study import StudySpec
from autoft.study.lessons import Lesson, best_of

START_ATTR = "start"
"""The study's attribute: what it begins with, decided when it is made."""
ORIGIN_ATTR = "origin"
"""A trial's attribute: where its parameters come from, if not from the sampler."""
DEFAULT, FIRST, LEARNED, PORTFOLIO = "default", "first", "learned", "portfolio"
"""Origins: the recommended configuration; what the user queued; earlier studies; the portfolio."""
NEAR = 0.1
"""A number may move by this share of itself to lie in the space, and is the same point still."""

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


POINTS: tuple[Point, ...] = ()


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
    points: tuple[Point, ...] = POINTS,
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
    default = _nearest(spec.space, usual, blocks)
    learned = best_of(lessons, spec.space, [default, *_queued(spec)])
    inside: list[Params] = []
    for point in points:
        values = _values(point, usual, blocks)
        params = _nearest(spec.space, values, blocks)
        if _is_same(params, values, blocks) and params not in (default, *learned, *inside):
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
    """What the study begins with; None where that is the sampler."""
    stored: dict[str, Any] | None = study.user_attrs.get(START_ATTR)
    if stored is None:
        return None
    points = {name: tuple(stored.get(name, ())) for name in ("portfolio", "learned")}
    return Start(**{**stored, **points})


def _values(point: Point, usual: Mapping[str, Value], blocks: int) -> Params:
    return {
        **usual,
        "learning_rate": float(usual["learning_rate"]) * point.rate,
        "unfreeze_depth": ALL if point.depth == "all" else round(point.depth * blocks),
        "dropout": point.dropout,
        "weight_decay": point.weight_decay,
        "batch_size": point.batch_size,
        "epochs": max(1, round(float(usual["epochs"]) * point.epochs)),
    }


def _nearest(space: SearchSpace, values: Mapping[str, Value], blocks: int) -> Params:
    """The searched parameters that count, each at the value of its domain that is nearest to `values`."""
    wanted = {**space.resolve({}), **values}
    params: Params = {}
    for parameter in space.parameters:
        if space.active(parameter, params):
            params[parameter.name] = _nearest_value(parameter, wanted[parameter.name], blocks)
    return params


def _nearest_value(parameter: Parameter, value: Value, blocks: int) -> Value:
    domain, wanted = parameter.domain, _number(value, blocks)
    if isinstance(domain, Choice):
        if value in domain.values or wanted is None:
            return value if value in domain.values else domain.values[0]
        known = [each for each in domain.values if _number(each, blocks) is not None]
        return min(known, key=lambda each: abs((_number(each, blocks) or 0.0) - wanted))
    moved = min(domain.high, max(domain.low, wanted or 0.0))
    if domain.step is not None:
        moved = domain.low + round((moved - domain.low) / domain.step) * domain.step
    return round(moved) if domain.integer else float(moved)


def _number(value: Value, blocks: int) -> float | None:
    """As a number: the depth `all` is one more than all blocks; None for another word."""
    if value == ALL:
        return blocks + 1.0
    return float(value) if isinstance(value, int | float) else None


def _is_same(params: Params, values: Mapping[str, Value], blocks: int) -> bool:
    """Whether `params` are still the point that `values` meant: depths may move by a sixth of the blocks."""
    for name in params.keys() & values.keys():
        moved, wanted = _number(params[name], blocks), _number(values[name], blocks)
        if moved is None or wanted is None:
            if params[name] != values[name]:
                return False
        elif abs(moved - wanted) > (blocks / 6 if name == "unfreeze_depth" else NEAR * abs(wanted)):
            return False
    return True
