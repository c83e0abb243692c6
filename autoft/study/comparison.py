"""The winner, and its lead over the default, which is the recommended configuration; what is confirmed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median_low
from typing import TYPE_CHECKING

from autoft.study.baselines import TRIVIAL, best_baseline
from autoft.study.origin import DEFAULT
from autoft.study.significance import Z, error_beside, error_of_difference, more_than_noise

if TYPE_CHECKING:
    from autoft.study.confirmed import Confirmed
    from autoft.study.records import StudyInfo, TrialRecord
    from autoft.study.refitted import Refitted
    from autoft.study.tested import Tested


def winner_of(
    trials: Iterable["TrialRecord"], direction: str, confirmed: "Confirmed | None" = None
) -> "TrialRecord | None":
    """The trial that a confirmation has chosen, while that stands; else the complete one with the best score.

    Of equal ones it is the earliest; None if no trial has completed with a score.

    The best of many trials is partly the luckiest, so `Comparison.verdict` says if its lead over the default
    is within noise. It wins nevertheless: on the recorded curves a winner so chosen is the better model in
    the mean (experiments/LOG.md).
    """
    finished = ranked(trials, direction)
    stands = standing(confirmed, finished, direction)
    if stands is not None:
        return next(each for each in finished if each.number == stands.chosen)
    return next(iter(finished), None)


def candidates_of(trials: Iterable["TrialRecord"], direction: str, top: int) -> list["TrialRecord"]:
    """The `top` best complete trials, of different configurations, and the default if it is none of them."""
    finished, found = ranked(trials, direction), list["TrialRecord"]()
    for trial in finished:
        if len(found) < top and all(dict(trial.values) != dict(each.values) for each in found):
            found.append(trial)
    default = default_of(finished)
    if default is not None and all(dict(default.values) != dict(each.values) for each in found):
        found.append(default)
    return found


def standing(
    confirmed: "Confirmed | None", trials: Iterable["TrialRecord"], direction: str
) -> "Confirmed | None":
    """What a confirmation has found, unless other trials would be compared by now."""
    if confirmed is None:
        return None
    now = tuple(each.number for each in candidates_of(trials, direction, confirmed.top))
    return confirmed if now == confirmed.candidates else None


def as_confirmed(winner: "TrialRecord", stands: "Confirmed | None") -> "TrialRecord":
    """The winner with the score of the model that is registered: the replica's, where a confirmation stands.

    The trial's own is the best of many then, and partly luck.
    """
    return winner if stands is None else replace(winner, score=stands.score)


def refit_standing(info: "StudyInfo", trials: Sequence["TrialRecord"]) -> "Refitted | None":
    """How the winner was trained again; None if it was not, or another trial wins by now."""
    winner = winner_of(trials, info.direction, info.confirmed)
    if winner is None or info.refitted is None:
        return None
    confirmed = standing(info.confirmed, trials, info.direction)
    now = winner.number, confirmed.seed if confirmed else winner.seed
    return info.refitted if now == (info.refitted.trial, info.refitted.seed) else None


def tested_standing(info: "StudyInfo", trials: Sequence["TrialRecord"]) -> "Tested | None":
    """What the test rows have said of the winner; None if they were not opened for this one."""
    tested = info.tested
    if tested is None or tested.digest != info.data.get("digest"):
        return None
    asked = tested.trial, tested.seed, tested.refit
    return tested if asked == winning_training(info, trials) else None


def winning_training(
    info: "StudyInfo", trials: Sequence["TrialRecord"]
) -> tuple[int, int | None, bool] | None:
    """Which training's model wins: the trial's number, the seed, and whether on the validation rows too."""
    winner = winner_of(trials, info.direction, info.confirmed)
    if winner is None:
        return None
    confirmed, refitted = standing(info.confirmed, trials, info.direction), refit_standing(info, trials)
    refit = refitted is not None and refitted.failed is None
    return winner.number, confirmed.seed if confirmed else winner.seed, refit


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
        """A sentence if no trial is better than the default by more than noise; None if the winner is."""
        if self.is_default:
            return "The winner is the default configuration: no other finished trial scored better."
        if more_than_noise(self.winner, self.default) is not False:
            return None
        return (
            f"The winner is better than the default (trial {self.default.number}) by no more than noise: "
            f"{self.winner.score:.4f} against {self.default.score:.4f}, "
            f"standard error {error_of_difference(self.winner, self.default):.4f}."
        )

    @property
    def said(self) -> str:
        """The verdict, also if the winner is better by more than noise; the fact alone if that is unknown."""
        error = error_of_difference(self.winner, self.default)
        if self.verdict is not None or error is None:
            return self.verdict or self.fact
        return (
            f"The winner is better than the default (trial {self.default.number}) by more than noise: "
            f"{self.winner.score:.4f} against {self.default.score:.4f}, standard error {error:.4f}."
        )


def compare(
    winner: "TrialRecord | None", trials: Sequence["TrialRecord"], stands: "Confirmed | None" = None
) -> Comparison | None:
    """Compares the winner with the default among `trials`; None without a winner or a complete default.

    Where a confirmation stands, each has the score of its median replica.
    """
    default = default_of(trials)
    if winner is None or default is None:
        return None
    of_default = next((each for each in stands.compared if each.is_default), None) if stands else None
    if of_default is not None:
        default = replace(default, score=median_low(of_default.scores))
    return Comparison(as_confirmed(winner, stands), default)


def without_default(trials: Iterable["TrialRecord"]) -> str | None:
    """A sentence if nothing can be compared with the default, because it is not complete; else None.

    A study that begins at random has no default, which is no news.
    """
    default = next((each for each in trials if each.origin == DEFAULT), None)
    if default is None or default_of([default]) is not None:
        return None
    came_to = "has not ended" if default.state == "RUNNING" else "did not finish"
    why = f" ({default.reason})" if default.reason else ""
    return (
        f"The default (trial {default.number}) {came_to}{why}, "
        "so it is unknown whether the winner is better than it."
    )


def nothing_learned(winner: "TrialRecord | None", info: "StudyInfo") -> str | None:
    """A clause if on the validation rows the winner does not beat the trivial baseline by more than noise."""
    trivial = tuple(each for each in info.baselines if each.name == TRIVIAL and each.failed is None)
    if winner is None or not trivial or not beside_baselines(winner, replace(info, baselines=trivial)):
        return None
    return (
        f"nothing was learned: its {info.objective} is {winner.score:.4f}, not better by more than noise "
        f"than {trivial[0].metrics[info.objective]:.4f} of a model that hardly reads the rows"
    )


def beside_baselines(winner: "TrialRecord | None", info: "StudyInfo") -> str | None:
    """A sentence if the winner does not beat the best baseline by more than noise; else None."""
    best = best_baseline(info.baselines, info.objective, info.direction)
    if winner is None or winner.score is None or best is None:
        return None
    score, error = best.metrics[info.objective], error_beside(winner, best.error)
    lead = (winner.score - score) * (1 if info.direction == "maximize" else -1)
    if lead > Z * (error or 0.0):
        return None
    figures = f"{winner.score:.4f} against {score:.4f}"
    if error is None:
        return f"The winner is no better than the {best.name} baseline: {figures}."
    said = "is worse than" if lead < -Z * error else "is not better by more than noise than"
    return f"The winner {said} the {best.name} baseline: {figures}, standard error {error:.4f}."
