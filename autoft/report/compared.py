"""Prints the winner and the default below each other, at the end of a search and in `autoft show`."""

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
    """Prints a line for the winner, labeled with its alias if any, and one for the default if complete."""
    lines = {alias or "winner": winner} | ({"default": comparison.default} if comparison else {})
    for name, trial in lines.items():
        said = f"{name:<10} trial {trial.number}, {info.objective} {words.score(trial.score)}"
        say(console, said, wrap=True)


def print_verdict(comparison: Comparison | None, console: Console) -> None:
    """Says so if the winner is no better than the default by more than noise; else prints nothing."""
    if comparison is not None and comparison.verdict is not None:
        say(console, f"\n{comparison.verdict}")
