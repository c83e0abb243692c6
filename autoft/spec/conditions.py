"""`when` and `unless`: on which other hyperparameters an entry depends, and in which order they are read."""

from collections.abc import Collection, Mapping

from autoft.spec.default_domains import awaits_models
from autoft.spec.describe import domain_text
from autoft.spec.domains import Entry, checked
from autoft.spec.hyperparameters import Hyperparameter
from autoft.spec.location import Notes, Path
from autoft.spec.recommended import FITTED
from autoft.spec.space import Condition, Range, Value
from autoft.spec.wording import any_of, got, nearest

Conditions = tuple[Condition, ...]


def read_conditions(
    entry: Entry,
    entries: Mapping[str, Entry],
    broken: Collection[str],
    vocabulary: Mapping[str, Hyperparameter],
    notes: Notes,
) -> Conditions:
    """The conditions of `entry`; what is wrong with them goes to `notes`.

    A parent is another entry: a choice, a range of whole numbers, or a fixed value. Parents in
    `broken` are left alone; they have their notes already.
    """
    conditions: list[Condition] = []
    for key, raw, negated in (("when", entry.when, False), ("unless", entry.unless, True)):
        path: Path = ("space", entry.name, key)
        if raw is None:
            continue
        if not isinstance(raw, dict) or not raw:
            notes.add(path, f"must map hyperparameters to values, as {{lr_schedule: linear}}, got {got(raw)}")
            continue
        for parent, wanted in raw.items():
            here = (*path, parent)
            if parent == entry.name:
                notes.add(here, "must name another hyperparameter, got itself; remove it")
            elif parent in broken:
                continue
            elif parent not in entries:
                notes.add(here, _unknown_parent(parent, entries, vocabulary))
            elif values := _read_values(entries[parent], vocabulary[parent], wanted, here, notes):
                conditions.append(Condition(parent, values, negated))
    _refuse_impossible(entry, conditions, entries, vocabulary, notes)
    return tuple(conditions)


def _unknown_parent(
    parent: str, entries: Mapping[str, Entry], vocabulary: Mapping[str, Hyperparameter]
) -> str:
    if parent in vocabulary:
        default = "its recommended value" if parent in FITTED else got(vocabulary[parent].default)
        return f"must name a searched hyperparameter, but {parent} has {default} by default; search it too"
    meant = nearest(parent, entries)
    hint = f"; did you mean {meant!r}?" if meant else f"; searched are {any_of(entries)}"
    return f"must name a searched hyperparameter, got {got(parent)}{hint}"


def _read_values(
    parent: Entry, hyperparameter: Hyperparameter, raw: object, path: Path, notes: Notes
) -> tuple[Value, ...] | None:
    """The parent's values that a condition names, each one possible; None with a note."""
    domain = parent.domain
    if isinstance(domain, Range) and not domain.integer:
        notes.add(
            path, f"must name a parameter with separate values, but {parent.name} is a range; make it a list"
        )
        return None
    items = raw if isinstance(raw, list) else [raw]
    if not items:
        notes.add(path, "must list at least one value, got []")
        return None
    values = []
    for index, item in enumerate(items):
        here = (*path, index) if isinstance(raw, list) else path
        value = checked(hyperparameter, item, here, notes)
        if value is None:
            continue
        if domain is None or domain.contains(value) or value in _when_inactive(parent, hyperparameter):
            values.append(value)
        else:
            rule = f"must be a value that {parent.name} can have ({domain_text(domain)})"
            more = "; which others there are depends on the model: list them in space"
            notes.add(here, f"{rule}, got {got(item)}{more if awaits_models(parent) else ''}")
    return tuple(values) if len(values) == len(items) else None


def _can_be_inactive(parent: Entry) -> bool:
    return parent.when is not None or parent.unless is not None


def _when_inactive(parent: Entry, hyperparameter: Hyperparameter) -> tuple[Value, ...]:
    """The value that conditions see if `parent` itself does not count: its default.

    It is left out if it is not known yet: `recommended` sets it when data and model have been read.
    """
    return (hyperparameter.default,) if _can_be_inactive(parent) and parent.name not in FITTED else ()


def _refuse_impossible(
    entry: Entry,
    conditions: list[Condition],
    entries: Mapping[str, Entry],
    vocabulary: Mapping[str, Hyperparameter],
    notes: Notes,
) -> None:
    """Note a parent none of whose values lets `entry` count: it would silently never be searched."""
    for parent in dict.fromkeys(condition.parent for condition in conditions):
        found = entries[parent]
        if isinstance(found.domain, Range):
            continue
        values = list(found.domain.values if found.domain else () if found.value is None else (found.value,))
        values += _when_inactive(found, vocabulary[parent])
        own = [condition for condition in conditions if condition.parent == parent]
        if parent in FITTED and _can_be_inactive(found) and all(condition.negated for condition in own):
            continue  # may hold for the recommended value, which is not known yet
        if not any(all(condition.holds({parent: value}) for condition in own) for value in values):
            where: Path = ("space", entry.name, "unless" if own[0].negated else "when", parent)
            state = f"{parent} is {any_of(str(value) for value in values)}"
            notes.add(where, f"must be able to hold, but {state}; remove the condition or {entry.name}")


def in_order(conditions: Mapping[str, Conditions], notes: Notes) -> list[str]:
    """The searched names, parents before children, else as they come; a circle goes to `notes`."""
    ordered: list[str] = []
    waiting = list(conditions)
    while waiting:
        ready = [
            name for name in waiting if not any(condition.parent in waiting for condition in conditions[name])
        ]
        if not ready:
            circle = _circle(waiting, conditions)
            rule = f"conditions must not go in a circle, got {' -> '.join(circle)}; remove one of them"
            notes.add(("space", circle[0]), rule)
            return ordered + waiting
        # One at a time, so that the order changes as little as the conditions ask for.
        ordered.append(ready[0])
        waiting.remove(ready[0])
    return ordered


def _circle(waiting: list[str], conditions: Mapping[str, Conditions]) -> list[str]:
    """A walk from child to parent that comes back to where it began."""
    walk = [waiting[0]]
    while walk[-1] not in walk[:-1]:
        walk.append(next(each.parent for each in conditions[walk[-1]] if each.parent in waiting))
    return walk[walk.index(walk[-1]) :]
