"""Prints winner, default and baselines below each other, at the end of a search and in `autoft show`."""

from collections.abc import Sequence

from rich.console import Console

from autoft.report import words
from autoft.report.printing import add_row, new_table, say
from autoft.study.baselines import Baseline
from autoft.study.comparison import (
    Comparison,
    as_confirmed,
    beside_baselines,
    compare,
    standing,
    tested_standing,
    without_default,
)
from autoft.study.confirmed import Confirmed
from autoft.study.records import StudyInfo, TrialRecord
from autoft.study.refitted import Refitted


def print_scores(
    info: StudyInfo,
    winner: TrialRecord,
    comparison: Comparison | None,
    console: Console,
    alias: str | None = None,
) -> None:
    """Prints a line for the winner, labeled with its alias if any, one for the default, one a baseline.

    The winner has the score of its model, see `as_confirmed`.
    """
    lines = {alias or "winner": winner} | ({"default": comparison.default} if comparison else {})
    for name, trial in lines.items():
        said = f"{name:<10} trial {trial.number}, {info.objective} {words.score(trial.score)}"
        say(console, said, wrap=True)
    for baseline in info.baselines:
        say(console, f"{'baseline':<10} {baseline.name}{_of_baseline(baseline, info)}", wrap=True)


def _of_baseline(baseline: Baseline, info: StudyInfo) -> str:
    if baseline.failed:
        return f" failed: {baseline.failed}"
    some = f"{baseline.rows:,} of " if baseline.rows < baseline.train_rows else ""
    on = f"{some}{words.count(baseline.train_rows, 'training row')}, {words.duration(baseline.seconds)}"
    return f", {info.objective} {words.score(baseline.metrics[info.objective])} ({on})"


def print_verdict(
    info: StudyInfo, winner: TrialRecord | None, trials: Sequence[TrialRecord], console: Console
) -> None:
    """Says what a confirmation that stands has found, and what the test rows have said.

    Without a confirmation it says so if the winner is no better than the default by more than noise, and
    without test rows if it is no better than the best baseline. It always says so if the default is not
    complete.
    """
    confirmed, tested = standing(info.confirmed, trials, info.direction), tested_standing(info, trials)
    comparison = compare(winner, trials, confirmed)
    if confirmed is not None:
        _print_confirmed(confirmed, console)
    elif comparison is not None and comparison.verdict is not None:
        say(console, f"\n{comparison.verdict}")
    if winner is not None and (missing := without_default(trials)):
        say(console, f"\n{missing}")
    if tested is not None:
        say(console, f"\n{tested.said}")
    elif verdict := beside_baselines(winner and as_confirmed(winner, confirmed), info):
        say(console, f"\n{verdict}")


def print_refitted(refitted: Refitted | None, console: Console) -> None:
    """Says how the winner was trained again, if it was."""
    if refitted is not None:
        say(console, f"\n{refitted.said}")


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
