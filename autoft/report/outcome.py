"""What is said at the end of a search."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from autoft.report import words
from autoft.report.compared import print_scores, print_verdict
from autoft.report.tables import LISTED, best_trials
from autoft.spec.study import Budget
from autoft.study.budget import Limit
from autoft.study.comparison import compare
from autoft.study.records import StudyInfo, TrialRecord
from autoft.tracking.retrieval import Best


@dataclass(frozen=True)
class Outcome:
    """Where a study stands when a sitting is over."""

    info: StudyInfo
    trials: Sequence[TrialRecord]
    budget: Budget
    limit: Limit | None
    """What else than its trials has ended the sitting; None where nothing has."""
    ran: int
    """Trials that ended in this sitting; 0 where the budget had been met before."""
    best: Best | None
    """None where no trial is COMPLETE."""
    unrecorded: str | None
    """What the tracking server did not take, in words; None where it took everything."""

    @property
    def total(self) -> int:
        """Trials of the budget."""
        return self.budget.trials

    @property
    def ended(self) -> int:
        """Trials that are COMPLETE, PRUNED or FAIL, over all sittings."""
        return sum(trial.state in _STATES for trial in self.trials)

    def count(self, state: str) -> int:
        """Trials in that state, over all sittings."""
        return sum(trial.state == state for trial in self.trials)

    @property
    def champion(self) -> TrialRecord | None:
        """The record of `best`."""
        return next((each for each in self.trials if self.best and each.number == self.best.trial), None)


def print_outcome(outcome: Outcome, console: Console) -> None:
    """Prints the best trials, what was registered, and the commands to go on with.

    Where the search has found nothing better than the default but noise, the last line says so.
    """
    name = outcome.info.name
    champion = outcome.champion
    comparison = compare(champion, outcome.trials)
    console.print(f"{_standing(outcome)}\n", highlight=False, markup=False)
    if outcome.best is None and outcome.ended:
        _print_failures(outcome, console)
    if outcome.best is not None and champion is not None:
        console.print(best_trials(outcome.info, outcome.trials))
        if (complete := outcome.count("COMPLETE")) > LISTED:
            console.print(f"the best {LISTED} of {complete} complete trials", style="dim", highlight=False)
        console.print()
        print_scores(outcome.info, champion, comparison, console)
        model = outcome.best.model_uri or "not registered"
        console.print(f"model      {model}", highlight=False, markup=False)
    if outcome.unrecorded:
        console.print(f"\nnot recorded: {outcome.unrecorded}", style="yellow", markup=False, highlight=False)
    console.print(f"\nautoft show {name} [TRIAL]   every trial: parameters, curve, log", highlight=False)
    console.print(
        f"autoft best {name} --json    the winner\nautoft ui {name}             MLflow", highlight=False
    )
    print_verdict(comparison, console)


_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


def _standing(outcome: Outcome) -> str:
    """Where the study stands against its budget, in a sentence."""
    counts = ", ".join(f"{n} {word}" for state, word in _STATES.items() if (n := outcome.count(state)))
    name, counted = outcome.info.name, f" ({counts})" if counts else ""
    if outcome.ended < outcome.total:
        done = f"{name} has {outcome.ended} of {words.count(outcome.total, 'trial')}{counted}"
        if outcome.limit == "gpu_hours":
            hours = f"{outcome.budget.gpu_hours:g} GPU hours"
            return f"The {hours} of the budget are spent: study {done}. A larger budget.gpu_hours goes on."
        if outcome.limit == "time":
            time = words.duration(outcome.budget.time_s)
            return f"The time of {time} is over: study {done}. The same command goes on."
        return f"Study {done}. The same command goes on."
    if outcome.ran == 0:
        return f"The budget of study {name} is met{counted}; nothing was run."
    return f"Study {name}: {words.count(outcome.ended, 'trial')}{counted}."


def _print_failures(outcome: Outcome, console: Console) -> None:
    """No winner: the reasons, most frequent first, are what the user needs."""
    reasons = [trial.reason or "no reason known" for trial in outcome.trials if trial.state == "FAIL"]
    console.print("No trial succeeded, so there is no winner.", style="bold red")
    for reason in sorted(set(reasons), key=reasons.count, reverse=True)[:3]:
        console.print(f"  {reasons.count(reason)} x {reason}", markup=False, highlight=False)
