"""What the winner's model became in the registry at the end of a search, as the study stores it."""

from dataclasses import asdict, dataclass

import optuna

PROMOTED_ATTR = "promoted"
"""The study's attribute that holds its `Promoted`."""


@dataclass(frozen=True)
class Promoted:
    """Of the moment when a search ended: an alias can be moved later, from any machine."""

    trial: int
    """The number of the search's trial that won."""
    seed: int | None
    """That of the training whose model it is."""
    refit: bool
    """Whether that model was trained again on the validation rows too."""
    model_uri: str
    """The registered version."""
    said: str
    """What it became and why, in sentences."""


def write_promoted(study: optuna.Study, promoted: Promoted) -> None:
    """Stores it; that of a later winner replaces it."""
    study.set_user_attr(PROMOTED_ATTR, asdict(promoted))


def read_promoted(study: optuna.Study) -> Promoted | None:
    """That of the last winner; None if none was registered."""
    stored = study.user_attrs.get(PROMOTED_ATTR)
    return None if stored is None else Promoted(**stored)
