"""Whether the winner is as good as `autoft search --require` asks."""

from rich.console import Console

from autoft.report import words
from autoft.report.outcome import Outcome
from autoft.report.printing import say
from autoft.spec.requirement import Requirement
from autoft.study.comparison import as_confirmed, standing, tested_standing


def judged_score(outcome: Outcome) -> tuple[float | None, str]:
    """The number that a requirement is held against, None without a winner; and of which rows it is.

    It is that of the test rows if there are any: None as long as the winner has not been asked for them.
    """
    tested = tested_standing(outcome.info, outcome.trials)
    if tested is not None:
        return tested.score, "test"
    if outcome.info.data["rows"].get("test"):
        return None, "test"
    if outcome.winner is None:
        return None, "validation"
    stands = standing(outcome.info.confirmed, outcome.trials, outcome.info.direction)
    return as_confirmed(outcome.winner, stands).score, "validation"


def meets(outcome: Outcome, requirement: Requirement, console: Console) -> bool:
    """Whether the winner is good enough; says so."""
    score, split = judged_score(outcome)
    met = requirement.is_met(score)
    said = f"the winner's score on the {split} rows is {words.score(score)}"
    if score is None:
        said = f"no winner has been asked for the {split} rows yet"
    verdict = "met" if met else "NOT met"
    say(console, f"\nrequired   {requirement}: {verdict}, {said}", "green" if met else "red", wrap=True)
    return met
