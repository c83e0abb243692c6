"""Whether the winner is as good as `autoft search --require` asks."""

from rich.console import Console

from autoft.report import words
from autoft.report.outcome import Outcome
from autoft.report.printing import say
from autoft.spec.requirement import Requirement

JUDGED = "score on the validation rows"
"""What `judged_score` gives, in words."""


def judged_score(outcome: Outcome) -> float | None:
    """The number that a requirement is held against; None without a winner."""
    return outcome.best.value if outcome.best else None


def meets(outcome: Outcome, requirement: Requirement, console: Console) -> bool:
    """Whether the winner is good enough; says so."""
    score = judged_score(outcome)
    met = requirement.is_met(score)
    said = f"the winner's {JUDGED} is {words.score(score)}"
    verdict = "met" if met else "NOT met"
    say(console, f"\nrequired   {requirement}: {verdict}, {said}", "green" if met else "red", wrap=True)
    return met
