"""Where a model is right and where not: by label, which labels it confuses, and how sure it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Calibration:
    """Whether a model that is 80 % sure is right in 80 % of the cases."""

    error: float
    """The expected calibration error: how far confidence and share of right answers are apart in a bin, in
    the mean over the answers (Guo et al. 2017, arXiv 1706.04599, section 2)."""
    bins: Sequence[Mapping[str, float]]
    """Of `by_label.BINS` the ones that have answers: `confidence` and `right`, both means, and `answers`."""


@dataclass(frozen=True)
class Breakdown:
    """One model on some rows. Empty where a task has nothing of the kind, or an answer is not finite."""

    by_label: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """`precision`, `recall` and `f1` of each label, and `support`, how often it is true."""
    confusion: Sequence[Sequence[int]] | None = None
    """[labels, labels]: how many rows of a label were given each label, in the order of `by_label`."""
    calibration: Calibration | None = None

    @classmethod
    def of_dict(cls, stored: Mapping[str, Any]) -> "Breakdown":
        """Back from `dataclasses.asdict`."""
        calibration = stored["calibration"]
        return cls(**{**stored, "calibration": Calibration(**calibration) if calibration else None})
