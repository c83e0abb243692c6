"""`-o budget.trials=5`: values that replace those of the file."""

from collections.abc import Sequence

from autoft.errors import Problem
from autoft.spec.location import Location, Notes, Path, dotted
from autoft.spec.wording import got
from autoft.spec.yaml_lines import parse

_SOURCE = "-o"


def apply_overrides(tree: dict[str, object], overrides: Sequence[str], notes: Notes) -> None:
    """Set each `path=value` in `tree`, in place; values are read as YAML.

    A list's items are counted from 0: `first.0.dropout=0.2`. What is wrong with the values
    themselves is found later, with everything else, and then carries `-o` as its place.
    """
    for override in overrides:
        name, equals, text = override.partition("=")
        keys = [key.strip() for key in name.split(".")]
        if not equals or not all(keys):
            notes.add_at(Location(_SOURCE, 0), (), f"must look like budget.trials=5, got {got(override)}")
            continue
        value_notes = Notes(Location(_SOURCE, 0))
        value = parse(text, _SOURCE, value_notes, lines=False)
        if value_notes.problems:
            notes.problems.extend(_under(problem, name) for problem in value_notes.problems)
            continue
        path = _set(tree, keys, value, notes)
        if path:
            notes.forget_locations(path)
            notes.locations[path] = Location(_SOURCE, 0)


def _under(problem: Problem, name: str) -> Problem:
    path = ".".join(part for part in (name, problem.path) if part)
    return Problem(problem.line, path, problem.rule, problem.source)


def _set(tree: dict[str, object], keys: list[str], value: object, notes: Notes) -> Path:
    """Set the value where `keys` lead and return that path; () with a note where they lead nowhere."""
    here: object = tree
    path: Path = ()
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        if isinstance(here, list) and key.isascii() and key.isdigit() and int(key) < len(here):
            index = int(key)
            path = (*path, index)
            if last:
                here[index] = value
            here = here[index]
        elif isinstance(here, dict):
            path = (*path, key)
            if last or here.get(key) is None:
                here[key] = value if last else {}
                # What is made on the way has no line in the file.
                notes.locations.setdefault(path, Location(_SOURCE, 0))
            here = here[key]
        else:
            whole = dotted(path)
            what = f"a list of {len(here)}" if isinstance(here, list) else got(here)
            rule = f"cannot be set: {whole} is {what}; give {whole} as a whole"
            notes.add_at(Location(_SOURCE, 0), tuple(keys), rule)
            return ()
    return path
