"""`${NAME}` in the three values where secrets live, and nowhere else."""

import re
from collections.abc import Mapping

from autoft.spec.location import Notes, Path

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ONE_URL = re.compile(r"[\w+.-]+://(?!.*://)", re.S)
# To the last `@`: a password may hold `@` and `/`. Where it is unclear, too much is masked.
_CREDENTIALS = re.compile(r"://([^/\s:]*)(:\S*)?@")
_SECRET_FIELD = re.compile(
    r"([?&;][^=&\s]*(?:pass|pwd|token|secret|key|credential|odbc_connect)[^=&\s]*=)([^&\s]+)", re.I
)

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


def redact(text: str) -> str:
    """`text` (a URL, or a message that holds some) with passwords and tokens as stars.

    A variable's name is no secret and stays.

    >>> redact("postgresql://me:secret@db.internal/mlflow")
    'postgresql://me:***@db.internal/mlflow'
    >>> redact("https://t0ken@mlflow:5000 and sqlite:///study.db?password=secret")
    'https://***@mlflow:5000 and sqlite:///study.db?password=***'
    """
    blank = (
        "\0" if _ONE_URL.match(text) else " "
    )  # a blank ends a URL in a message, but not one that stands alone
    masked = _SECRET_FIELD.sub(
        lambda found: found[0] if _is_name(found[2]) else f"{found[1]}***", text.replace(" ", blank)
    )
    return _CREDENTIALS.sub(_without_credentials, masked).replace(blank, " ")


def _without_credentials(found: re.Match[str]) -> str:
    """What is before the `@`, with the user where it is one for sure; alone, it is a token."""
    user, password = found[1], found[2]
    if _is_name(user if password is None else password[1:]):
        return found[0]
    return "://***@" if "@" in user or password in (None, ":") else f"://{user}:***@"


def _is_name(secret: str) -> bool:
    return _VARIABLE.fullmatch(secret) is not None
