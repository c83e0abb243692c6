from typing import Any

from autoft.spec.read import read_spec
from autoft.spec.study import StudySpec

GOOD: dict[str, Any] = {
    "study": "s",
    "task": "text-classification",
    "model": "org/name",
    "data": {"path": "rows.csv", "inputs": "text", "target": "label"},
    "objective": "macro_f1",
    "budget": {"trials": 60},
}
"""A request in which nothing is wrong."""


def spec(**sections: object) -> StudySpec:
    """GOOD, with `sections` added to it or in place of its own."""
    return read_spec({**GOOD, **sections})
