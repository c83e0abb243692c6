import pytest

from autoft.spec.corners import corners
from autoft.spec.read import read_spec

BASE = {
    "study": "corners",
    "task": "text-classification",
    "model": "org/name",
    "data": {"hub": "org/rows", "inputs": "text", "target": "label"},
    "objective": "macro_f1",
    "budget": {"trials": 3},
}


def of(space, **sections):
    found = corners(read_spec({**BASE, **sections, "space": space}).space)
    return [(str(c["unfreeze_depth"]), c["max_length"], c["batch_size"]) for c in found]


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ({"unfreeze_depth": 1, "max_length": 16, "batch_size": 8}, [("1", 16, 8)]),
        (
            {"unfreeze_depth": [2, "all", 0], "max_length": [64, 32], "batch_size": {"low": 8, "high": 32}},
            [("all", 64, 32), ("all", 64, 8), ("0", 32, 32), ("0", 32, 8)],
        ),
        (
            {"unfreeze_depth": {"low": 1, "high": 3}, "max_length": 16, "batch_size": 8},
            [("3", 16, 8), ("1", 16, 8)],
        ),
        # The large batch counts at depth 0 alone; elsewhere it is the default, 32.
        (
            {
                "unfreeze_depth": [0, 2],
                "max_length": 16,
                "batch_size": {"values": [64, 128], "when": {"unfreeze_depth": 0}},
            },
            [("2", 16, 32), ("0", 16, 128), ("0", 16, 64)],
        ),
    ],
)
def test_the_ends_of_what_is_costly(space, expected):
    assert of(space) == expected


def test_each_model_has_its_own():
    found = corners(
        read_spec({**BASE, "model": ["org/a", "org/b"], "space": {"unfreeze_depth": [0, 1]}}).space
    )
    assert [(c["model"], c["unfreeze_depth"]) for c in found] == [
        ("org/a", 1),
        ("org/a", 0),
        ("org/b", 1),
        ("org/b", 0),
    ]


def test_what_costs_nothing_makes_no_corner():
    assert len(of({"unfreeze_depth": 0, "dropout": {"low": 0, "high": 0.4}, "epochs": [1, 9]})) == 1
