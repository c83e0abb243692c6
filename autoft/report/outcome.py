"""What is said at the end of a search."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from autoft.report import words
from autoft.report.compared import print_refitted, print_scores, print_verdict
from autoft.report.printing import say
from autoft.report.tables import LISTED, best_trials
from autoft.spec.study import Budget
from autoft.study.budget import Limit
from autoft.study.comparison import as_confirmed, compare, refit_standing, standing
from autoft.study.records import StudyInfo, TrialRecord
from autoft.tracking.aliases import Promotion
from autoft.tracking.retrieval import Best


@dataclass(frozen=True)
class Outcome:
    """The result of a study at the end of a session."""

    info: StudyInfo
    trials: Sequence[TrialRecord]
    budget: Budget
    limit: Limit | None
    """The limit besides the trials that has ended the session; None if none has."""
    ran: int
    """Trials that ended in this session; 0 if the budget had been met before."""
    best: Best | None
    """The winner; None if no trial is COMPLETE."""
    unrecorded: str | None
    """What the tracking server did not accept, in words; None if it accepted everything."""
    promotion: Promotion | None = None
    """The alias of its model in the registry, and why; None if it is not there."""
    outstanding: str | None = None
    """That a confirmation or a refit is due and has not ended, in words; else None."""
    report: Path | None = None
    """The page with all of it; None if there is none."""

    @property
    def total(self) -> int:
        """The trials of the budget."""
        return self.budget.trials

    @property
    def ended(self) -> int:
        """The number of trials that are COMPLETE, PRUNED or FAIL, over all sessions."""
        return sum(trial.state in words.ENDED for trial in self.trials)

    def count(self, state: str) -> int:
        """The number of trials in that state, over all sessions."""
        return sum(trial.state == state for trial in self.trials)

    @property
    def winner(self) -> TrialRecord | None:
        """The record of `best`."""
        return next((each for each in self.trials if self.best and each.number == self.best.trial), None)


def print_outcome(outcome: Outcome, console: Console) -> None:
    """Prints the best trials, what was registered, and the next commands.

    If the search has found nothing better than the default by more than noise, the end says so. If the model
    stays candidate, the last line says why and what to do.
    """
    info, name = outcome.info, outcome.info.name
    winner = outcome.winner
    stands = standing(info.confirmed, outcome.trials, info.direction)
    comparison = compare(winner, outcome.trials, stands)
    say(console, f"{_progress(outcome)}{_unfinished(outcome)}\n", wrap=True)
    if outcome.best is None and outcome.ended:
        _print_failures(outcome, console)
    if outcome.best is not None and winner is not None:
        console.print(best_trials(outcome.info, outcome.trials))
        if (complete := outcome.count("COMPLETE")) > LISTED:
            console.print(f"the best {LISTED} of {complete} complete trials", style="dim", highlight=False)
        console.print()
        alias = outcome.promotion.alias if outcome.promotion else None
        print_scores(info, as_confirmed(winner, stands), comparison, console, alias)
        model = outcome.best.model_uri or "not registered"
        say(console, f"model      {model}", wrap=True)
    if outcome.report is not None:
        say(console, f"report     {os.path.relpath(outcome.report)}", wrap=True)
    if outcome.unrecorded:
        say(console, f"\nnot recorded: {outcome.unrecorded}", "yellow", wrap=True)
    say(console, f"\nautoft show {name} [TRIAL]   every trial: parameters, curve, log", wrap=True)
    say(console, f"autoft best {name} --json    the winner\nautoft ui {name}             MLflow", wrap=True)
    print_verdict(info, winner, outcome.trials, console)
    print_refitted(refit_standing(info, outcome.trials), console)
    print_promotion(outcome.best, outcome.promotion, console)


def print_promotion(best: Best | None, promotion: Promotion | None, console: Console) -> None:
    """Says what the winner's model has become in the registry, if the user should know."""
    if best is not None and promotion is not None and promotion.is_news:
        say(console, f"\n{promotion.said_of(best.model_uri)}")


def _progress(outcome: Outcome) -> str:
    """How much of its budget the study has used, in a sentence."""
    counts = words.states(trial.state for trial in outcome.trials)
    name, counted = outcome.info.name, f" ({counts})" if counts else ""
    if outcome.ended < outcome.total:
        done = f"{name} has {outcome.ended} of {words.count(outcome.total, 'trial')}{counted}"
        done += f"; {outcome.outstanding}" if outcome.outstanding else ""
        if outcome.limit == "gpu_hours":
            hours = f"{outcome.budget.gpu_hours:g} GPU hours"
            go_on = "Run the same command again" if outcome.outstanding else "Raise budget.gpu_hours"
            return f"The {hours} of the budget are spent: study {done}. {go_on} to continue."
        if outcome.limit == "time":
            time = words.duration(outcome.budget.time_s)
            return f"The time of {time} is over: study {done}. Run the same command again to continue."
        return f"Study {done}. Run the same command again to continue."
    if outcome.outstanding:
        again = "Run the same command again to continue"
        return (
            f"Study {name}: {words.count(outcome.ended, 'trial')}{counted}; {outcome.outstanding}. {again}."
        )
    if outcome.ran == 0:
        return f"The budget of study {name} is met{counted}; nothing was run."
    return f"Study {name}: {words.count(outcome.ended, 'trial')}{counted}."


def _unfinished(outcome: Outcome) -> str:
    """The trials that the next session continues, in a sentence; "" if there is none."""
    if outcome.ended >= outcome.total:
        return ""
    running = [
        f"{trial.number} ({'no score yet' if trial.score is None else f'{words.score(trial.score)} so far'})"
        for trial in outcome.trials
        if trial.state == "RUNNING"
    ]
    return f" Unfinished, to be continued: trial {', '.join(running)}." if running else ""


def _print_failures(outcome: Outcome, console: Console) -> None:
    """Prints why trials failed, the most frequent reasons first, because there is no winner."""
    reasons = [trial.reason or "no reason known" for trial in outcome.trials if trial.state == "FAIL"]
    say(console, "No trial succeeded, so there is no winner.", "bold red")
    for reason in sorted(set(reasons), key=reasons.count, reverse=True)[:3]:
        say(console, f"  {reasons.count(reason)} x {reason}", wrap=True)
