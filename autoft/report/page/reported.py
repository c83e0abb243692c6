"""The study that a page is about, with what several of its sections ask for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from autoft.report.show import ShownStudy
from autoft.study.comparison import (
    Comparison,
    as_confirmed,
    compare,
    standing,
    tested_standing,
    winner_of,
    winning_training,
)
from autoft.study.confirmed import Confirmed
from autoft.study.promoted import Promoted, read_promoted
from autoft.study.records import StudyInfo, TrialRecord
from autoft.study.storage import Study
from autoft.study.tested import Tested


@dataclass(frozen=True)
class Reported:
    """Read once, so that all sections speak of the same moment."""

    study: Study
    shown: ShownStudy

    @property
    def info(self) -> StudyInfo:
        """What the study is about."""
        return self.shown.info

    @property
    def trials(self) -> Sequence[TrialRecord]:
        """All that were begun."""
        return self.shown.trials

    @property
    def folder(self) -> Path:
        """`studies/<study>`."""
        return self.shown.folder

    @cached_property
    def winner(self) -> TrialRecord | None:
        """The trial that wins, or would win now."""
        return winner_of(self.trials, self.info.direction, self.info.confirmed)

    @cached_property
    def comparison(self) -> Comparison | None:
        """Of the winner with the default."""
        return compare(self.winner, self.trials, self.confirmed)

    @cached_property
    def confirmed(self) -> Confirmed | None:
        """What a confirmation has found, while it stands."""
        return standing(self.info.confirmed, self.trials, self.info.direction)

    @cached_property
    def scored_winner(self) -> TrialRecord | None:
        """The winner with the score of its model, see `as_confirmed`."""
        return None if self.winner is None else as_confirmed(self.winner, self.confirmed)

    @cached_property
    def tested(self) -> Tested | None:
        """What the test rows have said of the winner."""
        return tested_standing(self.info, self.trials)

    @cached_property
    def promoted(self) -> Promoted | None:
        """What the winner's model became in the registry."""
        found = read_promoted(self.study)
        if found is None:
            return None
        of = found.trial, found.seed, found.refit
        return found if of == winning_training(self.info, self.trials) else None

    def kind(self, trial: TrialRecord) -> str:
        """How a trial is drawn (`blocks.Mark.kind`)."""
        if self.winner is not None and trial.number == self.winner.number:
            return "winner"
        if self.comparison is not None and trial.number == self.comparison.default.number:
            return "default"
        return {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}.get(trial.state, "running")

    def legend(self, trials: Sequence[TrialRecord]) -> list[tuple[str, str]]:
        """The kinds of these trials, with what they mean."""
        kinds = {self.kind(trial) for trial in trials}
        return [(kind, meaning) for kind, meaning in _MEANINGS.items() if kind in kinds]


_MEANINGS = {
    "winner": "the winner",
    "default": "the default",
    "complete": "complete",
    "pruned": "stopped early",
    "running": "not ended",
    "failed": "failed",
}
