"""What the sealed test rows have said of the winner, as the study stores it. `judge.on_test` finds it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import optuna

from autoft.tasks.breakdown import Breakdown

TESTED_ATTR = "tested"
"""The study's attribute that holds its `Tested`."""
WINNER, DEFAULT = "winner", "default"
"""Names of contenders; the others are those of the baselines."""


@dataclass(frozen=True)
class Contender:
    """A model that was asked for the test rows."""

    name: str
    """WINNER, DEFAULT, or a baseline's."""
    metrics: Mapping[str, float]
    """Every metric of the task on the test rows."""
    error: float | None
    """The standard error of the objective, as the rows are a sample; None if unknown."""
    low: float | None = None
    """Of the interval (`kernel.paired`) of the winner's objective less this one's; None for the winner."""
    high: float | None = None


@dataclass(frozen=True)
class Tested:
    """One opening of the test rows for one winner."""

    trial: int
    """The number of the search's trial that won."""
    seed: int | None
    """That of the training whose model won: the trial's own, or that of a replica."""
    refit: bool
    """Whether that model was trained again on the validation rows too."""
    model_uri: str
    """The registered version: the very file that was tested."""
    metric: str
    digest: str
    """Of the study's rows."""
    rows: int
    opened: int
    """How often the test rows have been opened by all studies here, this time included."""
    contenders: tuple[Contender, ...]
    """The winner first."""
    breakdown: Breakdown
    """Of the winner."""
    objection: str | None
    """Why the model is not to be used, in a clause: it has learned nothing, or is worse than the default."""
    said: str
    """All of it, in sentences."""

    @property
    def winner(self) -> Contender:
        """The winner's scores."""
        return self.contenders[0]

    @property
    def score(self) -> float:
        """The winner's objective."""
        return self.winner.metrics[self.metric]

    def to_dict(self) -> dict[str, Any]:
        """All but the breakdown, which is long."""
        told = asdict(self)
        del told["breakdown"]
        return told

    def contender(self, name: str) -> Contender | None:
        """One of them; None if it was not asked."""
        return next((each for each in self.contenders if each.name == name), None)


def write_tested(study: optuna.Study, tested: Tested) -> None:
    """Stores what was found; a later winner's replaces it."""
    study.set_user_attr(TESTED_ATTR, asdict(tested))


def read_tested(study: optuna.Study) -> Tested | None:
    """What was found at the last opening; None if there was none."""
    stored: Mapping[str, Any] | None = study.user_attrs.get(TESTED_ATTR)
    if stored is None:
        return None
    apart = {
        "contenders": tuple(Contender(**each) for each in stored["contenders"]),
        "breakdown": Breakdown.of_dict(stored["breakdown"]),
    }
    return Tested(**{**stored, **apart})
