"""The winner beside the default, which is the recommended configuration: what the search has given."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoft.study.noise import error_of_difference, more_than_noise
from autoft.study.start import DEFAULT

if TYPE_CHECKING:
    from autoft.study.records import TrialRecord


@dataclass(frozen=True)
class Comparison:
    """Two COMPLETE trials with a score, which may be one and the same."""

    winner: "TrialRecord"
    default: "TrialRecord"

    @property
    def is_default(self) -> bool:
        """Whether the default is the winner."""
        return self.winner.number == self.default.number

    @property
    def fact(self) -> str:
        """What the default has, in a sentence beside the winner's score."""
        if self.is_default:
            return "It is the default configuration."
        return f"The default configuration (trial {self.default.number}) has {self.default.score:.4f}."

    @property
    def verdict(self) -> str | None:
        """That the search has given nothing, in a sentence; None where it has, or where that is unknown.

        That a winner is the best of many trials, so flattered by noise, is not counted.
        """
        if self.is_default:
            return "The winner is the default configuration: no other finished trial scored better."
        if more_than_noise(self.winner, self.default) is not False:
            return None
        return (
            "The winner is no better than the default configuration by more than noise: "
            f"{self.winner.score:.4f} against {self.default.score:.4f}, "
            f"standard error {error_of_difference(self.winner, self.default):.4f}."
        )


def compare(winner: "TrialRecord | None", trials: Sequence["TrialRecord"]) -> Comparison | None:
    """The winner beside the default among `trials`; None without a winner or a finished default."""
    default = default_of(trials)
    if winner is None or winner.score is None or default is None:
        return None
    return Comparison(winner, default)


def default_of(trials: Iterable["TrialRecord"]) -> "TrialRecord | None":
    """The default, where it came to its end."""
    ended = (each for each in trials if each.state == "COMPLETE" and each.score is not None)
    return next((each for each in ended if each.origin == DEFAULT), None)
