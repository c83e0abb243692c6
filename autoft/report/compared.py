"""Prints the winner and the default below each other, at the end of a search and in `autoft show`."""

from rich.console import Console

from autoft.report import words
from autoft.report.printing import add_row, new_table, say
from autoft.study.comparison import Comparison
from autoft.study.confirmed import Confirmed
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


def print_verdict(comparison: Comparison | None, confirmed: Confirmed | None, console: Console) -> None:
    """Says what a confirmation that stands has found.

    Without one it says so if the winner is no better than the default by more than noise; else nothing.
    """
    if confirmed is not None:
        _print_confirmed(confirmed, console)
    elif comparison is not None and comparison.verdict is not None:
        say(console, f"\n{comparison.verdict}")


def _print_confirmed(confirmed: Confirmed, console: Console) -> None:
    """A table of all that were compared, and the verdict."""
    table = new_table(
        "trial", f"mean {confirmed.metric}", "lowest", "highest", "seeds", "training", "", left=("",)
    )
    for each in confirmed.compared:
        low, high = min(each.scores), max(each.scores)
        notes = ["chosen"] if each.trial == confirmed.chosen else []
        notes += ["the default"] if each.is_default else []
        shown = [words.score(each.mean), words.score(low), words.score(high), str(len(each.scores))]
        add_row(table, str(each.trial), *shown, words.duration(each.training_s), ", ".join(notes))
    console.print()
    console.print(table)
    registered = f"The model is the replica with the median score, {words.score(confirmed.score)}."
    say(console, f"\nConfirmed on fresh seeds. {confirmed.said} {registered}")
