"""How the winner was trained again on training and validation rows together, as the study stores it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import optuna

REFITTED_ATTR = "refitted"
"""The study's attribute that holds its `Refitted`."""


@dataclass(frozen=True)
class Refitted:
    """The winner once more, on more rows. It has no score: no row but the test split's is left for that."""

    trial: int
    """The number of the search's trial that had the configuration."""
    seed: int
    """That of the training before, which has the score: the trial's own, or that of a replica."""
    number: int
    """Of the trial in the study of refits."""
    rows: int
    """Training and validation rows."""
    failed: str | None
    """Why there is no model; None if there is one."""
    said: str
    """All of it, in sentences."""


def refit_name(study: str) -> str:
    """The name of the study in which the winner is trained again, which is no name that a user can give."""
    return f"{study}/refit"


def write_refitted(study: optuna.Study, refitted: Refitted) -> None:
    """Stores how the winner was trained again; a later winner's replaces it."""
    study.set_user_attr(REFITTED_ATTR, asdict(refitted))


def forget_refitted(study: optuna.Study) -> None:
    """The winner is its first training again, because nobody asks for another one any more."""
    if read_refitted(study) is not None:
        study.set_user_attr(REFITTED_ATTR, None)


def read_refitted(study: optuna.Study) -> Refitted | None:
    """How the last winner was trained again; None if none was."""
    stored: Mapping[str, Any] | None = study.user_attrs.get(REFITTED_ATTR)
    return None if stored is None else Refitted(**stored)
