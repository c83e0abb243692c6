"""What is said at the end of a search."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from autoft.report import words
from autoft.report.tables import best_trials
from autoft.study.records import StudyInfo, TrialRecord
from autoft.tracking.retrieval import Best


@dataclass(frozen=True)
class Outcome:
    """Where a study stands when a sitting is over."""

    info: StudyInfo
    trials: Sequence[TrialRecord]
    ran: int
    """Trials that ended in this sitting; 0 where the budget had been met before."""
    best: Best | None
    """None where no trial is COMPLETE."""
    unrecorded: str | None
    """What the tracking server did not take, in words; None where it took everything."""


def print_outcome(outcome: Outcome, console: Console) -> None:
    """Prints the best trials, what was registered, and the commands to go on with."""
    name, states = outcome.info.name, [trial.state for trial in outcome.trials]
    counts = ", ".join(f"{states.count(s)} {w}" for s, w in _STATES.items() if s in states)
    if outcome.ran == 0:
        console.print(f"The budget of study {name} is met ({counts}); nothing was run.", highlight=False)
    else:
        console.print(
            f"Study {name}: {words.count(len(states), 'trial')} ({counts}).\n", highlight=False, markup=False
        )
    if outcome.best is None:
        _print_failures(outcome, console)
    else:
        console.print(best_trials(outcome.info, outcome.trials))
        best = outcome.best
        said = f"\nchampion   trial {best.trial}, {best.metric} {words.score(best.value)}"
        console.print(f"{said}\nmodel      {best.model_uri}", highlight=False, markup=False)
    if outcome.unrecorded:
        console.print(f"\nnot recorded: {outcome.unrecorded}", style="yellow", markup=False, highlight=False)
    console.print(f"\nautoft show {name} [TRIAL]   every trial: parameters, curve, log", highlight=False)
    console.print(
        f"autoft best {name} --json    the winner\nautoft ui {name}             MLflow", highlight=False
    )


_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


def _print_failures(outcome: Outcome, console: Console) -> None:
    """No winner: the reasons, most frequent first, are what the user needs."""
    reasons = [trial.reason or "no reason known" for trial in outcome.trials if trial.state == "FAIL"]
    console.print("No trial succeeded, so there is no winner.", style="bold red")
    for reason in sorted(set(reasons), key=reasons.count, reverse=True)[:3]:
        console.print(f"  {reasons.count(reason)} x {reason}", markup=False, highlight=False)
