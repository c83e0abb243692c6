from dataclasses import replace

from autoft.spec.describe import describe
from autoft.spec.space import Range

from .asked import spec


def test_a_space_in_words() -> None:
    space = spec(
        model=["org/a", "org/b"],
        space={
            "dropout": {"low": 0, "high": 0.4, "step": 0.1, "unless": {"unfreeze_depth": 0}},
            "epochs": {"values": [2, 4], "when": {"model": "org/a", "unfreeze_depth": [0, "all"]}},
            "batch_size": 16,
        },
    ).space
    assert [tuple(line) for line in describe(space)][:7] == [
        ("model", "org/a or org/b", ""),
        ("learning_rate", "1e-5 to 0.001, log (by default)", ""),
        ("unfreeze_depth", "0 or all (by default)", ""),
        ("dropout", "0 to 0.4, step 0.1", "unless unfreeze_depth is 0"),
        ("weight_decay", "0.0001 to 0.3, log (by default)", ""),
        ("epochs", "2 or 4", "when model is org/a and when unfreeze_depth is 0 or all"),
        ("batch_size", "16 (fixed)", ""),
    ]
    assert ("max_length", "128 (default)", "") in [tuple(line) for line in describe(space)]


def test_a_range_contains_its_steps_only() -> None:
    tenths = Range(0.0, 0.4, integer=False, step=0.1)
    # 3 * 0.1 is 0.30000000000000004: a step all the same.
    assert [tenths.contains(value) for value in (0.0, 0.1, 3 * 0.1, 0.4, 0.15, 0.5, "all")] == [True] * 4 + [
        False
    ] * 3
    assert replace(tenths, step=None).contains(0.15)
