"""`first`: parameters that the user wants tried before anything is sampled."""

from collections.abc import Collection, Mapping

from autoft.errors import Problem, SpecError
from autoft.spec.default_domains import awaits_models
from autoft.spec.describe import domain_text
from autoft.spec.domains import checked
from autoft.spec.hyperparameters import Hyperparameter
from autoft.spec.location import Notes, Path, dotted
from autoft.spec.recommended import FITTED
from autoft.spec.shape import unknown_key
from autoft.spec.space import Parameter, SearchSpace, Value
from autoft.spec.study import StudySpec
from autoft.spec.wording import any_of, got


def read_first(
    raw: object,
    space: SearchSpace,
    broken: Collection[str],
    vocabulary: Mapping[str, Hyperparameter],
    notes: Notes,
) -> tuple[dict[str, Value], ...]:
    """The entries of `first`, each with its searched parameters only; what is wrong goes to `notes`.

    A parameter that an entry leaves out is sampled. Names in `broken` are left alone.
    """
    if raw is None:
        return ()
    if not isinstance(raw, list):
        notes.add(("first",), f"must be a list of mappings, as [{{dropout: 0.1}}], got {got(raw)}")
        return ()
    entries: list[dict[str, Value]] = []
    for index, item in enumerate(raw):
        path: Path = ("first", index)
        if not isinstance(item, dict) or not item:
            notes.add(path, f"must map parameters to values, as {{dropout: 0.1}}, got {got(item)}")
            continue
        before = len(notes.problems)
        entry = _read_entry(item, path, space, broken, vocabulary, notes)
        if entry in entries and len(notes.problems) == before:
            notes.add(
                path, f"must not be tried twice, got the same as first[{entries.index(entry)}]; remove it"
            )
        entries.append(entry)
    return tuple(entries)


def _read_entry(
    item: Mapping[str, object],
    path: Path,
    space: SearchSpace,
    broken: Collection[str],
    vocabulary: Mapping[str, Hyperparameter],
    notes: Notes,
) -> dict[str, Value]:
    searched = {parameter.name: parameter for parameter in space.parameters}
    entry: dict[str, Value] = {}
    for name, raw in item.items():
        if name in broken:
            continue
        if name not in vocabulary:
            notes.add((*path, name), unknown_key(name, vocabulary, path))
            continue
        value = checked(vocabulary[name], raw, (*path, name), notes)
        if value is None:
            continue
        if name in searched:
            entry[name] = value
            if not awaits_models(searched[name]) and not searched[name].domain.contains(value):
                notes.add((*path, name), _outside(searched[name], value))
        elif name in FITTED and name not in space.fixed:
            rule = "must be searched to be tried, but it has its recommended value"
            notes.add((*path, name), f"{rule}; see space.{name}, or remove it here")
        elif value != (known := {**space.defaults, **space.fixed}[name]):
            how = "fixed to" if name in space.fixed else "not searched, it is"
            notes.add(
                (*path, name), f"must be searched to be tried, but it is {how} {got(known)}; see space.{name}"
            )
    for name in entry:
        if not any(condition.parent in broken for condition in searched[name].conditions):
            broken_rule = _broken_condition(searched[name], entry, space)
            if broken_rule:
                notes.add((*path, name), broken_rule)
    return entry


def _outside(parameter: Parameter, value: Value) -> str:
    rule = f"must be within what is searched ({domain_text(parameter.domain)}), got {got(value)}"
    return f"{rule}; widen space.{parameter.name}"


def require_first_searched(spec: StudySpec) -> None:
    """Raises SpecError where a value in `first` is not searched, with all such values.

    Call it when the domains are known that depend on the models, or on an existing study.
    """
    searched = {parameter.name: parameter for parameter in spec.space.parameters}
    problems = [
        Problem(0, dotted(("first", index, name)), _outside(searched[name], value))
        for index, entry in enumerate(spec.first)
        for name, value in entry.items()
        if name in searched and not searched[name].domain.contains(value)
    ]
    if problems:
        raise SpecError(problems)


def _broken_condition(parameter: Parameter, entry: Mapping[str, Value], space: SearchSpace) -> str | None:
    """Why `parameter` does not surely count in a trial that begins with `entry`; None where it does."""
    values: dict[str, Value] = {**space.defaults, **space.fixed}
    sampled: set[str] = set()
    recommended: set[str] = set()  # those that do not count here and whose value is not known yet
    # Parents come first in the space, so that what a condition sees is decided before it is asked.
    for each in space.parameters:
        undecided = [c.parent for c in each.conditions if c.parent in sampled]
        unknown = [c.parent for c in each.conditions if c.parent in recommended]
        decided = [c for c in each.conditions if c.parent not in sampled | recommended]
        fails = [c for c in decided if not c.holds(values)]
        if each.name == parameter.name and fails:
            word, parent = "unless" if fails[0].negated else "when", fails[0].parent
            state = f"{parent} is {got(values[parent])}"
            wanted = any_of(fails[0].values)
            return f"counts only {word} {parent} is {wanted}, but here {state}; remove it here"
        if each.name == parameter.name and unknown:
            rule = "depends on {0}, which does not count here and has its recommended value; remove {1} here"
            return rule.format(any_of(unknown), each.name)
        if each.name == parameter.name:
            rule = "depends on {0}, which this entry does not set; set it or remove {1}"
            return rule.format(any_of(undecided), each.name) if undecided else None
        if fails and each.name in FITTED:
            recommended.add(each.name)
        elif not fails and each.name in entry and not undecided and not unknown:
            values[each.name] = entry[each.name]
        elif not fails:
            sampled.add(each.name)
    return None
