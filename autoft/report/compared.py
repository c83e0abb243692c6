"""The winner and the default below each other, as the end of a search and `autoft show` print them."""

from rich.console import Console

from autoft.report import words
from autoft.report.printing import say
from autoft.study.comparison import Comparison
from autoft.study.records import StudyInfo, TrialRecord


def print_scores(
    info: StudyInfo,
    winner: TrialRecord,
    comparison: Comparison | None,
    console: Console,
    alias: str | None = None,
) -> None:
    """A line for the winner, under its alias if it has one, and one for the default if that is complete."""
    lines = {alias or "winner": winner} | ({"default": comparison.default} if comparison else {})
    for name, trial in lines.items():
        said = f"{name:<10} trial {trial.number}, {info.objective} {words.score(trial.score)}"
        say(console, said, wrap=True)


def print_verdict(comparison: Comparison | None, console: Console) -> None:
    """Says where the winner has nothing over the default but noise; else nothing."""
    if comparison is not None and comparison.verdict is not None:
        say(console, f"\n{comparison.verdict}")
