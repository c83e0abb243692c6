"""One entry of the space: a scalar is fixed, a list is a choice, `low` and `high` are a range."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autoft.spec.document import ChoiceForm, RangeForm
from autoft.spec.hyperparameters import Hyperparameter
from autoft.spec.location import Notes, Path
from autoft.spec.shape import fit
from autoft.spec.space import Choice, Range, Value, is_whole
from autoft.spec.wording import any_of, got, number


@dataclass(frozen=True)
class Entry:
    """What one hyperparameter is set to."""

    name: str
    domain: Choice | Range | None = None
    value: Value | None = None
    """Where it is fixed; exactly one of domain and value is there."""
    when: object = None
    """As written; read by `spec.conditions`, which knows the other entries."""
    unless: object = None
    by_default: bool = False


def read_entry(hyperparameter: Hyperparameter, raw: object, notes: Notes) -> Entry | None:
    """The entry of `hyperparameter`, or None with what is wrong in `notes`."""
    path: Path = ("space", hyperparameter.name)
    if raw is None:
        if notes.inside(path):  # could not be read
            return None
        notes.add(path, "must be a value, a list or a range, got nothing; remove the key if autoft decides")
        return None
    if isinstance(raw, list):
        domain = read_choice(hyperparameter, raw, path, notes)
        return Entry(hyperparameter.name, domain) if domain else None
    if isinstance(raw, dict):
        return _read_mapping(hyperparameter, raw, path, notes)
    value = checked(hyperparameter, raw, path, notes)
    return None if value is None else Entry(hyperparameter.name, value=value)


def checked(hyperparameter: Hyperparameter, raw: object, path: Path, notes: Notes) -> Value | None:
    """`raw` as a value of `hyperparameter`, or None with a note."""
    try:
        return hyperparameter.check(raw)
    except ValueError as error:
        notes.add(path, str(error))
        return None


def read_choice(
    hyperparameter: Hyperparameter, raw: Sequence[object], path: Path, notes: Notes
) -> Choice | None:
    """The values of a list, each one allowed and none of them twice."""
    if not raw:
        notes.add(path, "must list at least one value, got []; remove the key if autoft decides")
        return None
    values: list[Value] = []
    for index, item in enumerate(raw):
        value = checked(hyperparameter, item, (*path, index), notes)
        if value is not None and value in values:
            notes.add((*path, index), f"must list each value once, got {got(item)} again; remove it")
        elif value is not None:
            values.append(value)
    return Choice(tuple(values)) if len(values) == len(raw) else None


def _read_mapping(
    hyperparameter: Hyperparameter, raw: Mapping[str, object], path: Path, notes: Notes
) -> Entry | None:
    if "values" in raw:
        form = fit(ChoiceForm, raw, path, notes)
        domain = read_choice(hyperparameter, form.values, (*path, "values"), notes) if form else None
        return (
            Entry(hyperparameter.name, domain, when=raw.get("when"), unless=raw.get("unless"))
            if domain
            else None
        )
    if hyperparameter.kind == "choice":
        notes.add(
            path, f"must be {any_of(hyperparameter.choices)}, or a list or `values:` of them, got {got(raw)}"
        )
        return None
    if not raw.keys() - {"when", "unless"}:
        notes.add(path, f"must hold `low` and `high`, or `values`, got {got(raw)}")
        return None
    ends = fit(RangeForm, raw, path, notes)
    found = _read_range(hyperparameter, ends, path, notes) if ends else None
    return (
        Entry(hyperparameter.name, found, when=raw.get("when"), unless=raw.get("unless")) if found else None
    )


def _read_range(hyperparameter: Hyperparameter, form: RangeForm, path: Path, notes: Notes) -> Range | None:
    before = len(notes.problems)
    ends = []
    for key, end in (("low", form.low), ("high", form.high)):
        try:
            ends.append(hyperparameter.check_number(end))
        except ValueError as error:
            notes.add((*path, key), str(error))
    if len(ends) < 2:
        return None
    low, high = ends
    if low >= high:
        fix = "; write the number alone to fix it" if low == high else "; swap them"
        notes.add(path, f"low must be below high, got low={number(low)}, high={number(high)}{fix}")
    if form.log and low <= 0:
        notes.add(
            (*path, "low"), f"must be above 0 on a log scale, got low={number(low)}; raise low or remove log"
        )
    if form.log and form.step is not None:
        notes.add((*path, "step"), "must not stand beside `log: true`; remove one of them")
    elif form.step is not None and low < high:
        _check_step(hyperparameter, form.step, low, high, (*path, "step"), notes)
    if len(notes.problems) > before:
        return None
    step = int(form.step) if hyperparameter.integer and form.step is not None else form.step
    return Range(low, high, hyperparameter.integer, form.log, step)


def _check_step(
    hyperparameter: Hyperparameter, step: float, low: float, high: float, path: Path, notes: Notes
) -> None:
    if step <= 0:
        notes.add(path, f"must be above 0, got {number(step)}")
    elif hyperparameter.integer and step != int(step):
        notes.add(path, f"must be a whole number as {hyperparameter.name} is, got {number(step)}")
    elif step > high - low:
        notes.add(path, f"must be at most high - low = {number(high - low)}, got {number(step)}")
    elif not is_whole((high - low) / step):
        below = low + math.floor((high - low) / step) * step
        ends = f"{number(below)} or {number(below + step)}"
        notes.add(path, f"must lead from low to high in whole steps, got {number(step)}; use high: {ends}")
