"""`autoft show`: a study's trials, and everything about one of them."""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from autoft.errors import StudyError
from autoft.judge.replicas import name_of
from autoft.kernel.measurement import Measurement
from autoft.report import words
from autoft.report.compared import print_refitted, print_scores, print_verdict
from autoft.report.printing import add_row, new_table, say
from autoft.spec.study import StudySpec
from autoft.study.comparison import (
    as_confirmed,
    compare,
    ranked,
    refit_standing,
    standing,
    winner_of,
)
from autoft.study.layout import CONFIRM, REFIT
from autoft.study.outstanding import left
from autoft.study.records import StudyInfo, TrialRecord, read_info, read_trials
from autoft.study.refitted import refit_name
from autoft.study.storage import MissingStudyError, Study, find_study

LOG_LINES = 40


@dataclass(frozen=True)
class ShownStudy:
    """A study as it is read back from its storage."""

    info: StudyInfo
    trials: Sequence[TrialRecord]
    folder: Path
    """`studies/<study>`, where logs and checkpoints lie."""
    searched: bool = True
    """Whether a process is searching it now."""
    left: str | None = None
    """What has not ended of what was asked for (`study.outstanding.left`); None if all has, or the request
    is not known."""
    after: Sequence[Study] = ()
    """The studies of replicas and of refits that have begun."""

    def state(self, trial: TrialRecord) -> str:
        """The trial's state in a word; a RUNNING trial that no process runs was interrupted."""
        interrupted = trial.state == "RUNNING" and not self.searched
        return "interrupted" if interrupted else trial.state.lower()


def read_shown(study: Study, folder: Path, spec: StudySpec | None, *, searched: bool) -> ShownStudy:
    """A study and what comes after its trials.

    Args:
        study: the search's, in its storage.
        folder: `studies/<study>`.
        spec: the request, of which budget, storage, confirm and refit count; None if it is not kept.
        searched: whether a process is searching it now.
    """
    info, trials = read_info(study), read_trials(study)
    after = studies_after(study, folder, spec.search.storage if spec else None)
    return ShownStudy(
        info, trials, folder, searched, left(study, spec, info, trials) if spec else None, after
    )


def studies_after(study: Study, folder: Path, storage: str | None) -> list[Study]:
    """The studies that run after the search's trials, if they have begun: of replicas, of refits.

    Args:
        study: the search's.
        folder: the search's.
        storage: `search.storage` of the request.
    """
    there = []
    for name, where in ((name_of, CONFIRM), (refit_name, REFIT)):
        with suppress(MissingStudyError):
            there.append(find_study(name(study.study_name), folder / where, storage))
    return there


def show_study(study: ShownStudy, console: Console) -> None:
    """Prints every trial, the best first, and the winner's score beside the default's."""
    headings = ("trial", "state", study.info.objective, "time", "origin", "parameters")
    table = new_table(*headings, left=("state", "time", "origin", "parameters"))
    finished = ranked(study.trials, study.info.direction)
    for trial in [*finished, *(each for each in study.trials if each not in finished)]:
        add_row(
            table,
            str(trial.number),
            study.state(trial),
            words.score(trial.score),
            words.duration(trial.duration_s),
            trial.origin or "",
            _about(trial),
        )
    console.print(table)
    info = study.info
    winner = winner_of(study.trials, info.direction, info.confirmed)
    if winner is not None:
        console.print()
        stands = standing(info.confirmed, study.trials, info.direction)
        comparison = compare(winner, study.trials, stands)
        print_scores(info, as_confirmed(winner, stands), comparison, console)
        print_verdict(info, winner, study.trials, console)
        print_refitted(refit_standing(info, study.trials), console)


def _about(trial: TrialRecord) -> str:
    """The parameters, and below them why it was stopped; for a failure only the reason."""
    lines = [trial.reason or words.parameters(trial.params), *_stopped(trial)]
    return "\n".join(lines)


def _stopped(trial: TrialRecord) -> list[str]:
    """What ended the trial before its budget was spent, if the pruner or early stopping did."""
    if trial.stop is not None:
        return [f"stopped: {trial.stop}"]
    return [trial.early_stop] if trial.early_stop else []


def show_trial(study: ShownStudy, number: int, console: Console) -> None:
    """Prints one trial's parameters, curve, log and traceback.

    Raises:
        StudyError: the study has no trial of that number.
    """
    found = next((trial for trial in study.trials if trial.number == number), None)
    if found is None:
        raise StudyError(
            f"no trial {number}: {study.info.name} has {words.count(len(study.trials), 'trial')}, from 0 on; "
            f"see them with: autoft show {study.info.name}"
        )
    say(
        console,
        f"trial {number} of {study.info.name}: {study.state(found)}, {study.info.objective} "
        f"{words.score(found.score)}, {words.duration(found.duration_s)}",
        wrap=True,
    )
    for line in _how_it_ran(found):
        say(console, f"  {line}", wrap=True)
    for name, value in found.values.items():
        marker = "searched" if name in found.params else ""
        say(console, f"  {name:<18} {words.value(value):<12} {marker}".rstrip(), wrap=True)
    if found.measurements:
        console.print(_curve(found.measurements, study.info, found.best_index))
    _print_log(study.folder, number, console)
    if found.traceback:
        say(console, f"\n{found.traceback.rstrip()}", "red", wrap=True)


def _how_it_ran(trial: TrialRecord) -> list[str]:
    """Where its parameters come from, and anything unusual, as sentences."""
    said = [words.origin(trial.origin), *_stopped(trial)]
    if trial.reason and not trial.traceback:
        said.append(trial.reason)
    if trial.attempt > 1:
        said.append(f"begun {trial.attempt} times: it was interrupted, or its worker died")
    if trial.micro_batch is not None:
        rows = words.count(trial.micro_batch, "row")
        said.append(f"out of memory: the batch was split into micro-batches of {rows}")
    return said


def _curve(measurements: Sequence[Measurement], info: StudyInfo, best_index: int | None) -> Table:
    """A row for each measurement, with a bar that is longer for better values."""
    values = [m.metrics.get(info.objective, math.nan) for m in measurements]
    finite = [value for value in values if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    worst, best = (low, high) if info.direction == "maximize" else (high, low)
    table = new_table("epoch", info.objective, "train_loss", "", left=("",))
    for m, value in zip(measurements, values, strict=True):
        width = round(30 * (value - worst) / (best - worst)) if high > low and math.isfinite(value) else 0
        add_row(
            table,
            f"{m.epoch:.2f}",
            words.score(value),
            words.number(m.metrics.get("train_loss")),
            "▇" * width + (" best" if m.index == best_index else ""),
        )
    return table


def _print_log(folder: Path, number: int, console: Console) -> None:
    path = folder / "logs" / f"trial-{number:04d}.log"
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    if lines:
        say(console, f"\n{path} (last {min(LOG_LINES, len(lines))} of {len(lines)} lines)", "dim", wrap=True)
        say(console, "\n".join(lines[-LOG_LINES:]), wrap=True)
