"""Clean rows of each kind of task, in which a test plants one thing that should be found."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from autoft.data.finding import Finding
from autoft.data.prepare import examine
from autoft.judge.preflight import preflight
from autoft.spec.read import read_spec
from autoft.tasks.find import find_task

SIZES = {"train": 120, "validation": 40, "test": 40}
LABELS = ("refund", "delivery", "card problem")
KINDS = ("person", "place")
OBJECTIVES = {
    "text-classification": "macro_f1",
    "text-regression": "rmse",
    "multi-label": "micro_f1",
    "token-classification": "entity_f1",
}
WORDS = [
    a + b for a in ("ba", "ke", "li", "mo", "nu", "ra", "so", "ti", "va", "ze") for b in ("lon", "mer", "dis")
]

Splits = dict[str, pd.DataFrame]


def clean(task: str) -> Splits:
    """Columns `text`, `other` (for pairs), `note` (which nobody reads) and `target`; words are random."""
    rng = np.random.default_rng(7)
    return {split: pd.DataFrame(list(_rows(task, n, rng))) for split, n in SIZES.items()}


def _rows(task: str, n: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    for i in range(n):
        words, other, note = (rng.choice(WORDS, size=12).tolist() for _ in range(3))
        target: Any = LABELS[i % 3]
        if task == "text-regression":
            target = float(np.round(rng.normal(50, 10), 2))
        if task == "multi-label":
            target = [label for label in LABELS if rng.random() < 0.4]
        if task == "token-classification":
            target = ["O"] * 12
            for kind, at in zip(KINDS, rng.choice(11, size=2, replace=False), strict=True):
                target[at] = f"B-{kind}"
        text = words if task == "token-classification" else " ".join(words)
        yield {"text": text, "other": " ".join(other), "note": " ".join(note), "target": target}


def found_in(task: str, splits: Splits, inputs: str | list[str] = "text", **data: Any) -> list[Finding]:
    """What preflight finds."""
    spec = read_spec(
        {
            "study": "planted",
            "task": task,
            "model": "org/none",
            "data": {"inputs": inputs, "target": "target", **data},
            "objective": OBJECTIVES[task],
            "budget": {"trials": 1},
        },
        in_memory_data=True,
    )
    return list(preflight(spec, examine(spec.data, find_task(task), splits)))
