"""How problems are worded: the value as the user wrote it, known names, the nearest of them."""

import difflib
from collections.abc import Iterable, Mapping


def got(value: object) -> str:
    """`value` as it would stand in a YAML file, cut to a readable length.

    >>> got("al"), got(True), got(None), got([1, "all"])
    ("'al'", 'true', 'nothing', "[1, 'all']")
    """
    text = "nothing" if value is None else _plain(value)
    return text if len(text) <= 60 else text[:56] + " ..."


def _plain(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_plain(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_plain(item) for item in value) + "]"
    if isinstance(value, float):
        return number(value)
    try:
        return repr(value)
    except ValueError:  # Python prints no integer of more than a few thousand digits
        return "a number of thousands of digits"


def number(value: float) -> str:
    """A number as people write it: `0.0001` rather than `1e-04`, `2` rather than `2.0`."""
    if isinstance(value, int):
        return str(value)
    text = f"{value:.10g}"
    return text.replace("e-0", "e-").replace("e+0", "e+")


def any_of(values: Iterable[object]) -> str:
    """`values` joined as alternatives: `0, 1 or all`."""
    names = [number(value) if isinstance(value, int | float) else str(value) for value in values]
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " or " + names[-1]


def nearest(word: object, known: Iterable[str]) -> str | None:
    """The known name that `word` was probably meant to be, by difflib; None where none is near."""
    by_lower = {name.lower().replace("-", "_"): name for name in known}
    plain = str(word).lower().strip().replace("-", "_").replace(" ", "_")
    found = difflib.get_close_matches(plain, by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def must_be_one_of(word: object, known: Iterable[str]) -> str:
    """The rule that only `known` names are taken, the value, and the nearest name."""
    names = list(known)
    meant = nearest(word, names) if isinstance(word, str) else None
    hint = f"; did you mean {meant!r}?" if meant else ""
    return f"must be {any_of(names)}, got {got(word)}{hint}"


def is_number(text: str) -> bool:
    """Whether `text` would be a number without its quotes."""
    try:
        float(text)
    except ValueError:
        return False
    return True
