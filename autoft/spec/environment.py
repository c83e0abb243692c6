"""`${NAME}` in the three values where secrets live, and nowhere else."""

import re
from collections.abc import Mapping

from autoft.spec.places import Notes, Path

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PASSWORD = re.compile(r"(://[^/@\s:]*:)[^/@\s]+@")

EXPANDED: tuple[tuple[str, str], ...] = (("tracking", "uri"), ("search", "storage"), ("resources", "address"))
"""Where environment variables are expanded."""


def expand(value: str, path: Path, environ: Mapping[str, str], notes: Notes) -> str:
    """`value` with its variables' values; a variable that is not set is noted by its name."""
    for name in _VARIABLE.findall(value):
        if not environ.get(name):
            notes.add(
                path, f"must name environment variables that are set, but {name} is not; export {name}=..."
            )
    return _VARIABLE.sub(lambda found: environ.get(found[1], ""), value)


def refuse_elsewhere(value: object, path: Path, notes: Notes) -> None:
    """Note every `${NAME}` that stands where it is not expanded."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            refuse_elsewhere(item, (*path, key), notes)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            refuse_elsewhere(item, (*path, index), notes)
    elif isinstance(value, str) and path not in EXPANDED and (found := _VARIABLE.search(value)):
        allowed = ", ".join(".".join(each) for each in EXPANDED)
        notes.add(
            path, f"takes no environment variables (only {allowed} do), got {found[0]}; write the value"
        )


def mask_passwords(text: str) -> str:
    """`text` with the password of every `scheme://user:password@host` as stars.

    >>> mask_passwords("http://me:secret@mlflow:5000")
    'http://me:***@mlflow:5000'
    """
    return _PASSWORD.sub(r"\1***@", text)
