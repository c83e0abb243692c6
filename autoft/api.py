"""The public functions: a search, and access to its winner. Each imports what it needs when it is called."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoft.named import find, shown_study, study_name, study_tracking_uri

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from autoft.study.confirmed import Confirmed
    from autoft.study.records import StudyInfo, TrialRecord
    from autoft.study.storage import Study
    from autoft.study.tested import Tested
    from autoft.tracking.retrieval import Best


@dataclass(frozen=True)
class SearchResult:
    """What a search has found."""

    study: str
    best: "Best | None"
    """The winner; None if no trial is COMPLETE."""
    trials: "pd.DataFrame"
    """A row for each trial: number, state, score, duration_s, reason, then each searched parameter."""
    promotion: str | None = None
    """What the winner's model has become in the registry, and why; None if it is not there."""


def search(
    space: str | Path | Mapping[str, Any],
    data: "Mapping[str, pd.DataFrame] | None" = None,
    overrides: Sequence[str] = (),
) -> SearchResult:
    """Searches until the budget is met, and registers the best model. Called again, it continues.

    Args:
        space: the path of a space.yaml, or its content as a dict.
        data: data frames by split (`train`, and if you have them `validation` and `test`) instead of
            `data.path`; the space still names the columns.
        overrides: values to set over those of the space, as in `["budget.trials=5"]`.

    Raises:
        AutoftError: something that you can fix; its message says how.
        KeyboardInterrupt: as it came; finished trials are kept, and the same call continues.

    >>> result = search("search_spaces/quickstart.yaml")  # doctest: +SKIP
    >>> result.best.params["unfreeze_depth"]  # doctest: +SKIP
    4
    """
    from autoft.report.frame import frame
    from autoft.screen import console
    from autoft.session import run_session
    from autoft.spec.read import read_spec

    spec = read_spec(space, overrides, in_memory_data=data is not None)
    outcome = run_session(spec, console(), frames=data)
    if outcome.unrecorded:
        warnings.warn(outcome.unrecorded, stacklevel=2)
    best, promotion = outcome.best, outcome.promotion
    said = promotion.said_of(best.model_uri) if best is not None and promotion is not None else None
    return SearchResult(spec.study, best, frame(outcome.trials), said)


def best_config(study: str | Path, tracking_uri: str | None = None) -> "Best":
    """The winning configuration of a study, from MLflow alone, so from any machine.

    Args:
        study: its name, or its space.yaml.
        tracking_uri: where it is published; None is what the space says (for a name the copy of it in
            `studies/`, if it is there), else MLFLOW_TRACKING_URI, else `sqlite:///mlflow.db`.

    Raises:
        StudyError: there is no such study, or it has no winner yet.
        TrackingError: the store does not answer.
    """
    from autoft.tracking import retrieval

    return retrieval.best(study_name(study), tracking_uri or study_tracking_uri(study))


def load_best_model(study: str | Path, tracking_uri: str | None = None) -> Any:
    """The winner as a transformers pipeline of its task, which truncates long texts by itself.

    Arguments as `best_config`.

    Raises:
        StudyError: there is no such study, or its winner is not registered yet.
        TrackingError: the store does not answer.
    """
    from autoft.tracking import loading

    return loading.load_best_model(study_name(study), tracking_uri or study_tracking_uri(study))


@dataclass(frozen=True)
class LoadedStudy:
    """A study as it is stored on this machine."""

    name: str
    info: "StudyInfo"
    """What it is about; `baselines` among others."""
    trials: "pd.DataFrame"
    """A row for each trial, as in `SearchResult.trials`."""
    winner: "TrialRecord | None"
    """The trial that wins, with the score of its model (`as_confirmed`); None while none is complete."""
    confirmation: "Confirmed | None"
    """What fresh seeds have said of the best configurations; None if they were not asked."""
    verdict: "Tested | None"
    """What the test rows have said of the winner; None if they were not opened for it."""
    optuna_study: "Study" = field(repr=False)
    """The same in its storage, for Optuna's own functions. To be read only."""

    def figures(self) -> "dict[str, Figure]":
        """Optuna's plots by name: `history`, `curves`, `slices`; none before a measurement.

        >>> load_study("quickstart").figures()["slices"].savefig("slices.png")  # doctest: +SKIP
        """
        from autoft.study.figures import figures

        return figures(self.optuna_study, self.info.objective)

    @property
    def provisional(self) -> bool:
        """Whether neither fresh seeds nor test rows have confirmed the winner; also if these object to it."""
        if self.verdict is not None:
            return self.verdict.objection is not None
        return self.confirmation is None


def load_study(study: str | Path) -> LoadedStudy:
    """A study from its storage, also while it is searched.

    Args:
        study: its name, or its space.yaml.

    Raises:
        StudyError: there is none of this name in `studies/`.
    """
    from autoft.report.frame import frame
    from autoft.study.comparison import as_confirmed, standing, tested_standing, winner_of

    found, folder = find(study)
    shown = shown_study(found, folder, study)
    info, trials = shown.info, shown.trials
    stands = standing(info.confirmed, trials, info.direction)
    winner = winner_of(trials, info.direction, info.confirmed)
    return LoadedStudy(
        name=info.name,
        info=info,
        trials=frame(trials),
        winner=winner and as_confirmed(winner, stands),
        confirmation=stands,
        verdict=tested_standing(info, trials),
        optuna_study=found,
    )
