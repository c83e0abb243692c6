"""`autoft status`: how far studies are, read from their storage, which a running search does not notice."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from autoft.errors import AutoftError
from autoft.named import find, later, request_of
from autoft.report import words
from autoft.report.printing import add_row, new_table, say
from autoft.spec.space import Value
from autoft.study.comparison import as_confirmed, standing, winner_of
from autoft.study.layout import study_names
from autoft.study.lock import searched_by
from autoft.study.outstanding import left
from autoft.study.records import TrialRecord, read_info, read_trials
from autoft.study.storage import clear_storage_errors

_ENDED = ("complete", "pruned", "failed")
_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


@dataclass(frozen=True)
class RunningTrial:
    """A trial that runs now."""

    number: int
    share: float
    """Of its training, at its last measurement."""
    score: float | None
    """The best so far."""
    params: Mapping[str, Value]


@dataclass(frozen=True)
class Status:
    """How far a study is. All but its name is unknown where there is a `problem`."""

    study: str
    state: Literal["running", "stopped", "done", "unreadable"]
    """Stopped: no process searches it, and something is left (`study.outstanding.left`): trials of its
    budget, its confirmation or refit, or the verdict on its test rows."""
    searched_by: str | None = None
    """The process that searches it, with its host."""
    trials: Mapping[str, int] = field(default_factory=dict)
    """How many are complete, pruned, failed, running or interrupted; those that there are."""
    budget: int | None = None
    """Trials in all; None where the request is not kept here."""
    afterwards: int = 0
    """Trials of its confirmation and refit that have ended."""
    metric: str | None = None
    best: float | None = None
    """The winner's score so far, on the validation rows."""
    best_trial: int | None = None
    best_params: Mapping[str, Value] = field(default_factory=dict)
    began: str | None = None
    """When the first of its trials did, as ISO 8601."""
    last_result: str | None = None
    """When the last trial that has ended did."""
    training_s: float = 0.0
    """The time of all ended trials together."""
    running: tuple[RunningTrial, ...] = ()
    problem: str | None = None
    """Why it cannot be read."""

    @property
    def ended(self) -> int:
        """The trials that count toward the budget."""
        return sum(self.trials.get(state, 0) for state in _ENDED)

    def to_dict(self) -> dict[str, Any]:
        """What `autoft status --json` prints: all fields, in their order."""
        return asdict(self)


def all_statuses() -> list[Status]:
    """Of every study with a folder in `studies/`; those that run first, then by their last result."""
    found = [_readable(name) for name in study_names()]
    newest = sorted(found, key=lambda each: each.last_result or each.began or "", reverse=True)
    return sorted(newest, key=lambda each: each.state != "running")


def _readable(name: str) -> Status:
    try:
        return status_of(name)
    except AutoftError as error:
        return Status(name, "unreadable", problem=str(error))


def status_of(study: str | Path) -> Status:
    """Of one study, by its name or its space.yaml.

    Raises:
        StudyError: there is none of this name in `studies/`, or its storage does not open.
    """
    found, folder = find(study)
    with clear_storage_errors(found.study_name):
        owner, info, trials = searched_by(found, folder), read_info(found), read_trials(found)
        after = [trial for each in later(found, folder, study) for trial in read_trials(each)]
    request = request_of(study, "search", "confirm", "refit")
    budget = request.budget.trials if request else None
    ended = [trial for trial in trials if trial.state in _STATES]
    unfinished = "running" if owner else "interrupted"
    winner = winner_of(trials, info.direction, info.confirmed)
    stands = standing(info.confirmed, trials, info.direction)
    over = request is None or left(found, request, info, trials) is None
    return Status(
        study=found.study_name,
        state="running" if owner else "done" if over else "stopped",
        searched_by=str(owner) if owner else None,
        trials=dict(Counter(_STATES.get(trial.state, unfinished) for trial in trials)),
        budget=budget,
        afterwards=sum(trial.state in _STATES for trial in after),
        metric=info.objective,
        best=as_confirmed(winner, stands).score if winner else None,
        best_trial=winner.number if winner else None,
        best_params=winner.params if winner else {},
        began=min((_iso(trial.started) for trial in trials if trial.started), default=None),
        last_result=max((_iso(trial.finished) for trial in [*ended, *after] if trial.finished), default=None),
        training_s=sum(trial.duration_s or 0.0 for trial in [*ended, *after]),
        running=tuple(map(_running, (trial for trial in trials if owner and trial.state == "RUNNING"))),
    )


def _running(trial: TrialRecord) -> RunningTrial:
    share = trial.measurements[-1].fraction if trial.measurements else 0.0
    return RunningTrial(trial.number, share, trial.score, trial.params)


def _iso(moment: datetime) -> str:
    """In UTC, so that texts are in the order of time."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def print_all(found: Sequence[Status], console: Console) -> None:
    """A line for each study."""
    if not found:
        say(console, "No study here: there is no folder in ./studies.")
        return
    table = new_table(
        *("study", "state", "trials", "complete", "pruned", "failed", "best", "", "training", "last result"),
        left=("study", "state", ""),
    )
    for each in (each for each in found if each.problem is None):
        counts = [str(each.trials.get(state, 0)) for state in _ENDED]
        best = [words.score(each.best), each.metric or ""]
        times = [words.duration(each.training_s), _ago(each.last_result)]
        add_row(table, each.study, each.state, _of_budget(each), *counts, *best, *times)
    if table.row_count:
        console.print(table)
    for each in (each for each in found if each.problem is not None):
        say(console, f"{each.study}: cannot be read: {each.problem}", "red", wrap=True)


def print_status(found: Status, console: Console) -> None:
    """One study: how far it is, the best so far, and what runs now."""
    by = f", searched by {found.searched_by}" if found.searched_by else ""
    counts = ", ".join(f"{n} {state}" for state, n in found.trials.items())
    lines = {
        "study": f"{found.study}: {found.state}{by}",
        "trials": f"{_of_budget(found)}{f': {counts}' if counts else ''}",
        "afterwards": f"{words.count(found.afterwards, 'trial')} of confirmation and refit",
        "best": f"{found.metric} {words.score(found.best)}, trial {found.best_trial}: "
        f"{words.parameters(found.best_params)}",
        "time": f"{words.duration(found.training_s)} of training; last result {_ago(found.last_result)}",
    }
    left_out = {"afterwards": not found.afterwards, "best": found.best is None}
    for label, text in lines.items():
        if not left_out.get(label):
            say(console, f"{label:<10} {text}", wrap=True)
    for trial in found.running:
        score = (
            f"{found.metric} {words.score(trial.score)}" if trial.score is not None else "not measured yet"
        )
        about = f"{trial.share:.0%} of its training, {score}: {words.parameters(trial.params)}"
        say(console, f"{'runs now':<10} trial {trial.number}, {about}", wrap=True)
    say(console, f"\nautoft show {found.study} [TRIAL]   every trial: parameters, curve, log", wrap=True)


def _of_budget(found: Status) -> str:
    return str(found.ended) if found.budget is None else f"{found.ended} of {found.budget}"


def _ago(moment: str | None) -> str:
    if moment is None:
        return "-"
    return f"{words.duration((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())} ago"
