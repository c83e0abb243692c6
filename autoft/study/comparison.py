"""The winner, and its lead over the default, which is the recommended configuration."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoft.study.significance import error_of_difference, more_than_noise
from autoft.study.start import DEFAULT

if TYPE_CHECKING:
    from autoft.study.records import TrialRecord


def winner_of(trials: Iterable["TrialRecord"], direction: str) -> "TrialRecord | None":
    """The complete trial that wins; None if none has completed with a score.

    It is the one with the best score, the earliest of equals; but the default wins if that one is better by
    no more than noise. The best of many trials is partly the luckiest, so a lead that other
    validation rows could turn around is no reason to leave what is known to work. The idea is that of the
    one-standard-error rule (Breiman et al., Classification and Regression Trees, 1984).
    """
    finished = _finished(trials)
    top, default = top_scorer(finished, direction), default_of(finished)
    if top is None or default is None or more_than_noise(top, default) is not False:
        return top
    return default


def top_scorer(trials: Iterable["TrialRecord"], direction: str) -> "TrialRecord | None":
    """The complete trial with the best score, the earliest of equals."""
    return next(iter(ranked(trials, direction)), None)


def ranked(trials: Iterable["TrialRecord"], direction: str) -> list["TrialRecord"]:
    """The complete trials, the best score first, the earliest of equals first."""
    sign = -1 if direction == "maximize" else 1
    return sorted(_finished(trials), key=lambda trial: (sign * (trial.score or 0.0), trial.number))


def default_of(trials: Iterable["TrialRecord"]) -> "TrialRecord | None":
    """The default, if it is complete."""
    return next((each for each in _finished(trials) if each.origin == DEFAULT), None)


def _finished(trials: Iterable["TrialRecord"]) -> list["TrialRecord"]:
    return [each for each in trials if each.state == "COMPLETE" and each.score is not None]


@dataclass(frozen=True)
class Comparison:
    """Complete trials with a score; any two of them may be the same trial."""

    winner: "TrialRecord"
    default: "TrialRecord"
    top: "TrialRecord"
    """The one with the best score."""

    @property
    def is_default(self) -> bool:
        """Whether the default is the winner."""
        return self.winner.number == self.default.number

    @property
    def fact(self) -> str:
        """The default's score, in a sentence beside the winner's."""
        if self.is_default:
            return "It is the default configuration."
        return f"The default configuration (trial {self.default.number}) has {self.default.score:.4f}."

    @property
    def verdict(self) -> str | None:
        """A sentence if the search found nothing better than the default; None if it did."""
        if not self.is_default:
            return None
        if self.top.number == self.default.number:
            return "The winner is the default configuration: no other finished trial scored better."
        return (
            "The winner is the default configuration: no trial is better by more than noise. Trial "
            f"{self.top.number} has {self.top.score:.4f} against {self.default.score:.4f}, "
            f"standard error {error_of_difference(self.top, self.default):.4f}."
        )


def compare(
    winner: "TrialRecord | None", trials: Sequence["TrialRecord"], direction: str
) -> Comparison | None:
    """Compares the winner with the default among `trials`; None without a winner or a complete default."""
    default, top = default_of(trials), top_scorer(trials, direction)
    if winner is None or default is None or top is None:
        return None
    return Comparison(winner, default, top)
