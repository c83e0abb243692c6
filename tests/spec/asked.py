from autoft.spec.read import read_spec
from autoft.spec.study import StudySpec


def spec(**sections: object) -> StudySpec:
    """A request; `sections` are added to it or replace its own."""
    return read_spec(
        {
            "study": "s",
            "task": "text-classification",
            "model": "org/name",
            "data": {"path": "rows.csv", "inputs": "text", "target": "label"},
            "objective": "macro_f1",
            "budget": {"trials": 60},
            **sections,
        }
    )
