"""What the confirmation of a study has found, as the study stores it. What it means is decided in `judge`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, Literal

import optuna

CONFIRMED_ATTR = "confirmed"
"""The study's attribute that holds its `Confirmed`."""
Kind = Literal["beats", "tie", "default", "alone"]
"""The chosen configuration beats all others by more than noise; it beats the default, if there is one, and is
tied with another; it is the default or no better than that by more than noise; it was the only one."""


@dataclass(frozen=True)
class Compared:
    """One configuration on fresh seeds."""

    trial: int
    """The number of the search's trial that had it."""
    is_default: bool
    scores: tuple[float, ...]
    """The objective on the validation rows, a seed each."""
    training_s: float
    """Seconds that the steps of one replica took, the median over the seeds."""

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return fmean(self.scores)


@dataclass(frozen=True)
class Lead:
    """How much better the chosen configuration is than another, in expectation over seeds and rows."""

    rival: int
    """The number of the other configuration's trial."""
    difference: float
    """Chosen minus rival, of the means over the seeds."""
    low: float
    """Of the interval."""
    high: float
    level: float
    """Of the interval, corrected for the number of configurations compared."""


@dataclass(frozen=True)
class Confirmed:
    """The configurations that were trained again on fresh seeds, and the one that was chosen."""

    metric: str
    rows: int
    """Validation rows on which they were compared."""
    top: int
    seeds: int
    candidates: tuple[int, ...]
    """Numbers of the search's trials that were to be compared: the result stands while these are the same."""
    compared: tuple[Compared, ...]
    """Those of which enough replicas are complete, the best mean first."""
    kind: Kind
    chosen: int
    """The number of the search's trial that had the chosen configuration."""
    lead: Lead | None
    """Over the default, if it is no better than that by more than noise; else over the second best."""
    said: str
    """What is concluded, in sentences."""
    study_id: str
    """Of the study of replicas."""
    replica: int
    """The number of the replica there whose model is registered."""
    seed: int
    """Of that replica."""
    score: float
    """Of that replica: the median of the chosen configuration."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values, with the means."""
        told = asdict(self)
        for each, stored in zip(self.compared, told["compared"], strict=True):
            stored["mean"] = each.mean
        return told


def write_confirmed(study: optuna.Study, confirmed: Confirmed) -> None:
    """Stores what a confirmation has found; a later one replaces it."""
    study.set_user_attr(CONFIRMED_ATTR, asdict(confirmed))


def read_confirmed(study: optuna.Study) -> Confirmed | None:
    """What the last confirmation has found; None if there was none."""
    stored: Mapping[str, Any] | None = study.user_attrs.get(CONFIRMED_ATTR)
    if stored is None:
        return None
    compared = (Compared(**{**each, "scores": tuple(each["scores"])}) for each in stored["compared"])
    parts = {
        "candidates": tuple(stored["candidates"]),
        "compared": tuple(compared),
        "lead": stored["lead"] and Lead(**stored["lead"]),
    }
    return Confirmed(**{**stored, **parts})
