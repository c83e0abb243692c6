"""How numbers, durations and parameters are written for a user, the same everywhere."""

from collections.abc import Iterable, Mapping

from autoft.spec.space import Value
from autoft.study.origin import DEFAULT, FIRST, LEARNED, SHALLOW


def number(value: float | None) -> str:
    """A number with four significant digits; `-` if there is none."""
    return "-" if value is None else f"{value:.4g}"


def score(value: float | None) -> str:
    """A metric with four decimals, so that a column of them lines up; `-` if there is none."""
    return "-" if value is None else f"{value:.4f}"


def duration(seconds: float | None) -> str:
    """A duration such as `8 s`, `12 min` or `3 h 20 min`; `-` if unknown."""
    if seconds is None:
        return "-"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def value(of: Value) -> str:
    """A parameter's value as one would type it."""
    return number(of) if isinstance(of, float) else str(of)


def parameters(params: Mapping[str, Value]) -> str:
    """`learning_rate=0.0003 unfreeze_depth=4`."""
    return " ".join(f"{name}={value(of)}" for name, of in params.items())


def origin(of: str | None) -> str:
    """Where a trial's parameters come from (`TrialRecord.origin`), as a phrase about the trial."""
    return _ORIGINS.get(of, of or "")


_ORIGINS = {
    DEFAULT: "the default: the recommended configuration, as near as the space allows",
    FIRST: "queued by you",
    SHALLOW: "the recommended configuration with fewer trained blocks",
    LEARNED: "one of the best of an earlier study",
    None: "proposed by the sampler",
}


def count(n: int, noun: str) -> str:
    """`1 trial`, `2 trials`, `1,204 rows`, `2 boundaries`."""
    plural = f"{noun[:-1]}ies" if noun.endswith("ary") else f"{noun}s"
    return f"{n:,} {noun if n == 1 else plural}"


def states(of: Iterable[str]) -> str:
    """The states of ended trials, counted: `8 complete, 16 pruned`."""
    counted = list(of)
    return ", ".join(f"{n} {word}" for state, word in ENDED.items() if (n := counted.count(state)))


ENDED = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
"""A word for each state of an ended trial."""
