"""The single values of space.yaml that need more than a type: their rules, and their JSON Schema."""

import re
from typing import Annotated

from pydantic import Field, PlainValidator, WithJsonSchema

from autoft.spec.size import UNITS
from autoft.spec.tasks import TASKS
from autoft.spec.wording import got, must_be_one_of

MAX_SEED = 2**32 - 1  # what NumPy and scikit-learn take

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")
_DURATION = re.compile(
    r"(?=.)(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?"
)
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(KB|MB|GB|TB)")
_UNITS_S = (86400, 3600, 60, 1)
_MAX_TIME_S = 366 * 86400


def study_name(value: object) -> str:
    """`value` as a study's name: it names a folder, a run and a registered model. Raises ValueError."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise ValueError(
        "must be a name of at most 100 letters, digits, `-`, `_` and `.` that does not start with a `.`, "
        f"got {got(value)}"
    )


def _study_names(value: object) -> tuple[str, ...]:
    """One study's name or a list of different ones, as a tuple."""
    names = value if isinstance(value, list) else [value]
    try:
        found = tuple(study_name(name) for name in names)
    except ValueError as error:
        raise ValueError(f"must be the name of a study, or a list of names; each {error}") from None
    if len(set(found)) < len(found):
        raise ValueError(f"must not name a study twice, got {got(value)}")
    return found


def _registered_name(value: object) -> str:
    """A name that MLflow's registry takes."""
    if (
        isinstance(value, str)
        and value.strip()
        and not re.search(r"[/:'\x00-\x1f\x7f-\x9f]", value)
        and len(value) <= 200
    ):
        return value
    raise ValueError(f"must be a name of at most 200 characters without `/`, `:` and `'`, got {got(value)}")


def _task(value: object) -> str:
    if isinstance(value, str) and value in TASKS:
        return value
    raise ValueError(must_be_one_of(value, TASKS))


def duration_s(value: object) -> float:
    """Seconds in a duration such as `8h` or `1h30m`; raises ValueError with the rule.

    >>> duration_s("1h30m")
    5400.0
    """
    rule = f"must be a time with its unit, such as 8h, 90m or 1h30m, got {got(value)}"
    found = (
        _DURATION.fullmatch(value.replace(" ", "")) if isinstance(value, str) and len(value) < 50 else None
    )
    if not found:
        raise ValueError(rule)
    seconds = sum(float(number or 0) * unit for number, unit in zip(found.groups(), _UNITS_S, strict=True))
    if not 0 < seconds <= _MAX_TIME_S:
        raise ValueError(f"{rule}; more than 0 and at most 366d")
    return seconds


def size_bytes(value: object) -> int:
    """Bytes in a size such as `20GB`, or 0; raises ValueError with the rule.

    >>> size_bytes("1.5GB")
    1500000000
    """
    if value == 0 and not isinstance(value, bool):
        return 0
    found = _SIZE.fullmatch(value) if isinstance(value, str) and len(value) < 50 else None
    if not found:
        raise ValueError(f"must be a size with its unit, such as 500MB or 20GB, or 0, got {got(value)}")
    return int(float(found[1]) * UNITS[found[2]])


def _columns(value: object) -> tuple[str, ...]:
    """One column or two, as a tuple."""
    names = value if isinstance(value, list) else [value]
    most = max(task.max_inputs for task in TASKS.values())
    if not (1 <= len(names) <= most and all(isinstance(name, str) and name for name in names)):
        raise ValueError(f"must be the name of a column, or a list of {most} for a pair, got {got(value)}")
    if len(set(names)) < len(names):
        raise ValueError(f"must not name a column twice, got {got(value)}")
    return tuple(names)


def _gpu_share(value: object) -> float | None:
    """A share of one GPU; None for `auto`."""
    if value == "auto":
        return None
    rule = f"must be auto, or a share of one GPU from 0 to 1, got {got(value)}"
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ValueError(rule)
    if value > 1:
        raise ValueError(f"{rule}; a trial trains on one GPU, more GPUs run more trials at once")
    return float(value)


def _gpus(value: object) -> tuple[int, ...]:
    """Distinct CUDA device indices."""
    if (
        isinstance(value, list)
        and value
        and all(
            isinstance(index, int) and not isinstance(index, bool) and 0 <= index < 1024 for index in value
        )
        and len(set(value)) == len(value)
    ):
        return tuple(value)
    raise ValueError(f"must be a list of different GPU indices such as [0, 1], got {got(value)}")


_NAME_SCHEMA = {"type": "string", "pattern": f"^{_NAME.pattern}$"}
_NAMES_SCHEMA = {"anyOf": [_NAME_SCHEMA, {"type": "array", "items": _NAME_SCHEMA, "uniqueItems": True}]}
_DURATION_SCHEMA = {"type": "string", "pattern": r"^(\d+(\.\d+)?[dhms] ?)+$"}
_SIZE_SCHEMA = {"anyOf": [{"type": "string", "pattern": f"^{_SIZE.pattern}$"}, {"const": 0}]}
_COLUMNS_SCHEMA = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "maxItems": 2},
    ]
}
_SHARE_SCHEMA = {"anyOf": [{"const": "auto"}, {"type": "number", "minimum": 0, "maximum": 1}]}
_GPUS_SCHEMA = {
    "type": "array",
    "items": {"type": "integer", "minimum": 0},
    "minItems": 1,
    "uniqueItems": True,
}

Text = Annotated[str, Field(min_length=1)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Count = Annotated[int, Field(ge=1, le=100_000)]
StudyName = Annotated[str, PlainValidator(study_name), WithJsonSchema(_NAME_SCHEMA)]
StudyNames = Annotated[tuple[str, ...], PlainValidator(_study_names), WithJsonSchema(_NAMES_SCHEMA)]
ModelName = Annotated[
    str, PlainValidator(_registered_name), WithJsonSchema({"type": "string", "pattern": "^[^/:]{1,200}$"})
]
TaskName = Annotated[str, PlainValidator(_task), WithJsonSchema({"enum": list(TASKS)})]
Duration = Annotated[float, PlainValidator(duration_s), WithJsonSchema(_DURATION_SCHEMA)]
Size = Annotated[int, PlainValidator(size_bytes), WithJsonSchema(_SIZE_SCHEMA)]
Columns = Annotated[tuple[str, ...], PlainValidator(_columns), WithJsonSchema(_COLUMNS_SCHEMA)]
GpuShare = Annotated[float | None, PlainValidator(_gpu_share), WithJsonSchema(_SHARE_SCHEMA)]
Gpus = Annotated[tuple[int, ...], PlainValidator(_gpus), WithJsonSchema(_GPUS_SCHEMA)]
