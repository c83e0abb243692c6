"""Holds a part of the document against its form; what pydantic finds, in our words."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from autoft.spec.document import Form, key_paths, keys_of
from autoft.spec.location import Notes, Path, dotted
from autoft.spec.tasks import HYPERPARAMETERS
from autoft.spec.wording import any_of, got, is_number, must_be_one_of, nearest, number

F = TypeVar("F", bound=Form)

_TYPES = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list such as [1, 2]",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "finite_number": "must be a finite number",
}


def fit(form: type[F], value: object, path: Path, notes: Notes) -> F | None:
    """`value` as `form`, or None with a note for each thing that does not fit."""
    try:
        return form.model_validate(value)
    except ValidationError as error:
        details = error.errors(include_url=False)
    misspelled = {
        (*each["loc"][:-1], nearest(each["loc"][-1], keys_of(_form_at(form, each["loc"][:-1]))))
        for each in details
        if each["type"] == "extra_forbidden"
    }
    for each in details:
        here = (*path, *each["loc"])
        # A key that is misspelled or could not be read is one problem, not a missing key as well.
        if each["type"] != "missing" or not (each["loc"] in misspelled or notes.inside(here)):
            notes.add(here, _rule(form, each, path))
    return None


def _form_at(form: type[Form], loc: tuple[int | str, ...]) -> type[Form]:
    for key in loc:
        form = keys_of(form)[str(key)]
    return form


def _rule(form: type[Form], error: ErrorDetails, path: Path) -> str:
    kind, loc, value = error["type"], error["loc"], error["input"]
    context: Mapping[str, Any] = error.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown_key(loc[-1], keys_of(_form_at(form, loc[:-1])), (*path, *loc[:-1]))
    if kind == "missing":
        return "is required" + _for_example(form, loc)
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return must_be_one_of(value, _literals(context["expected"]))
    if kind in _TYPES:
        quotes = (
            "; put it in quotes" if kind == "string_type" and isinstance(value, bool | int | float) else ""
        )
        if kind in ("int_type", "float_type") and isinstance(value, str) and is_number(value):
            quotes = "; remove the quotes"
        return f"{_TYPES[kind]}, got {got(value)}{quotes}{_for_example(form, loc) if not quotes else ''}"
    bounds = {"greater_than": ("above", "gt"), "greater_than_equal": ("at least", "ge")}
    bounds |= {"less_than": ("below", "lt"), "less_than_equal": ("at most", "le")}
    if kind in bounds:
        words, name = bounds[kind]
        return f"must be {words} {number(context[name])}, got {got(value)}"
    if kind in ("string_too_short", "too_short"):
        return f"must not be empty, got {got(value)}{_for_example(form, loc)}"
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}, got {got(value)}"


def _literals(expected: str) -> list[str]:
    return [word.strip(" '") for word in expected.replace(" or ", ", ").split(",")]


def _for_example(form: type[Form], loc: tuple[int | str, ...]) -> str:
    """The field's example, where it has one."""
    if not loc or not all(isinstance(key, str) for key in loc):
        return ""
    fields = {field.alias or name: field for name, field in _form_at(form, loc[:-1]).model_fields.items()}
    examples = fields[str(loc[-1])].examples
    return f"; for example `{examples[0]}`" if examples else ""


def unknown_key(key: object, known: Mapping[str, object], path: Path) -> str:
    """The rule for a key that is not known at `path`: the nearest one, or where it belongs."""
    inside = f" under {dotted(path)}" if path else " at the top"
    belongs = [f"space.{key}"] if key in HYPERPARAMETERS else key_paths().get(str(key), [])
    meant = nearest(key, known)
    if belongs:
        hint = f"did you mean {any_of(belongs)}?"
    else:
        hint = f"did you mean {meant!r}?" if meant else f"known are {', '.join(known)}"
    return f"must be a key that autoft knows{inside}, got {got(key)}; {hint}"
