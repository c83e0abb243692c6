"""What a user sees while a search runs: a view that is redrawn in place, or a line for each ended trial.

Both are callbacks: the search calls them when something has happened, and they read what from the study.
"""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from autoft.kernel.measurement import Measurement
from autoft.report import words
from autoft.report.printing import say
from autoft.study.comparison import default_of, winner_of
from autoft.study.origin import DEFAULT
from autoft.study.records import StudyInfo, TrialRecord

REFRESHES_PER_SECOND = 2
STOPS_SHOWN = 3
"""How many of the last stops the live view shows."""


class Progress:
    """What is known of the search so far; the views draw it.

    Args:
        info: the study.
        total: trials to reach, over all sessions.
        trials: all trials of earlier sessions.
        read_trial: a trial's record by its number.
    """

    def __init__(
        self,
        info: StudyInfo,
        total: int,
        trials: list[TrialRecord],
        read_trial: Callable[[int], TrialRecord],
    ) -> None:
        self.info = info
        self.total = total
        self.done = {trial.number: trial for trial in trials if trial.state in ("COMPLETE", "PRUNED", "FAIL")}
        self.running: dict[int, Measurement | None] = {}
        self.epochs: dict[int, float] = {}
        self._read = read_trial
        self._began = time.monotonic()
        self._done_before = len(self.done)

    def started(self, number: int) -> None:
        """Notes that a trial runs now."""
        self.running[number] = None
        self.epochs[number] = float(self._read(number).values.get("epochs", 0))

    def measured(self, number: int, measurement: Measurement) -> None:
        """Notes that a running trial was evaluated."""
        self.running[number] = measurement

    def finished(self, number: int) -> TrialRecord:
        """Notes that a trial has ended, in any state; returns its record."""
        self.running.pop(number, None)
        self.done[number] = self._read(number)
        return self.done[number]

    def count(self, state: str) -> int:
        """How many trials ended in `state`, over all sessions."""
        return sum(trial.state == state for trial in self.done.values())

    @property
    def winner(self) -> TrialRecord | None:
        """The trial that would win now."""
        return winner_of(self.done.values(), self.info.direction, self.info.confirmed)

    @property
    def default(self) -> TrialRecord | None:
        """The trial with the recommended configuration, once it is complete."""
        return default_of(self.done.values())

    @property
    def stopped(self) -> list[TrialRecord]:
        """The trials that the pruner or early stopping has ended, the latest last."""
        return [trial for trial in self.done.values() if trial.stop or trial.early_stop]

    @property
    def elapsed_s(self) -> float:
        """How long this session has run."""
        return time.monotonic() - self._began

    @property
    def remaining_s(self) -> float | None:
        """An estimate from this session's pace; None before its first trial ended."""
        here = len(self.done) - self._done_before
        return None if here == 0 else self.elapsed_s / here * max(0, self.total - len(self.done))


class LiveView:
    """The view in a terminal, redrawn in place. Use it as a context manager."""

    def __init__(self, progress: Progress, console: Console) -> None:
        self._progress = progress
        self._lock = threading.Lock()  # rich draws from a thread of its own
        self._live = Live(
            get_renderable=self._draw,
            console=console,
            refresh_per_second=REFRESHES_PER_SECOND,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def started(self, number: int) -> None:
        """See `Progress`."""
        with self._lock:
            self._progress.started(number)

    def measured(self, number: int, measurement: Measurement) -> None:
        """See `Progress`."""
        with self._lock:
            self._progress.measured(number, measurement)

    def finished(self, number: int) -> None:
        """See `Progress`."""
        with self._lock:
            self._progress.finished(number)

    def _draw(self) -> Group:
        with self._lock:
            return Group(self._headline(), self._winner_line(), *self._further_lines(), self._running_table())

    def _headline(self) -> Text:
        p = self._progress
        counts = f"{p.count('COMPLETE')} complete · {p.count('PRUNED')} pruned · {p.count('FAIL')} failed"
        text = Text.assemble(
            (p.info.name, "bold"),
            f"  {len(p.done)} of {words.count(p.total, 'trial')}  ({counts} · {len(p.running)} running)",
        )
        text.append(f"   {words.duration(p.elapsed_s)}", "dim")
        if p.remaining_s is not None:
            text.append(f", about {words.duration(p.remaining_s)} to go", "dim")
        return text

    def _winner_line(self) -> Text:
        winner = self._progress.winner
        if winner is None:
            return Text(f"winner {self._progress.info.objective}  none yet", "dim")
        return Text.assemble(
            f"winner {self._progress.info.objective}  ",
            (words.score(winner.score), "bold green"),
            f"  trial {winner.number}{': ' if winner.params else ''}{words.parameters(winner.params)}",
        )

    def _further_lines(self) -> list[Text]:
        """The default's score, and the last stops."""
        default, said = self._progress.default, list[str]()
        if default is not None:
            score = words.score(default.score)
            said.append(f"default {self._progress.info.objective}  {score}  trial {default.number}")
        for trial in self._progress.stopped[-STOPS_SHOWN:]:
            said.append(
                f"stopped trial {trial.number}  {words.score(trial.score)}, {trial.stop or trial.early_stop}"
            )
        return [Text(line, "dim") for line in said]

    def _running_table(self) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for number, measurement in sorted(self._progress.running.items()):
            epochs = words.number(self._progress.epochs.get(number))
            if measurement is None:
                table.add_row(f"trial {number}", f"epoch 0/{epochs}", "-")
            else:
                objective = measurement.metrics.get(self._progress.info.objective)
                table.add_row(
                    f"trial {number}", f"epoch {measurement.epoch:.1f}/{epochs}", words.score(objective)
                )
        return table


class PlainView:
    """One line for each finished trial: for files, pipes and logs. Use it as a context manager."""

    def __init__(self, progress: Progress, console: Console) -> None:
        self._progress = progress
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to release."""

    def started(self, number: int) -> None:
        """See `Progress`."""
        self._progress.started(number)

    def measured(self, number: int, measurement: Measurement) -> None:
        """See `Progress`."""
        self._progress.measured(number, measurement)

    def finished(self, number: int) -> None:
        """Prints the trial's line."""
        trial = self._progress.finished(number)
        winner = self._progress.winner
        said = trial.reason or "no reason known" if trial.state == "FAIL" else words.score(trial.score)
        parts = [
            f"trial {number} {trial.state.lower()} {said} in {words.duration(trial.duration_s)}"
            f"{_in_brackets(trial)}",
            f"winner {words.score(winner.score if winner else None)}",
            f"{len(self._progress.done)} of {self._progress.total}",
            words.parameters(trial.params),
        ]
        say(self._console, " · ".join(filter(None, parts)))


def _in_brackets(trial: TrialRecord) -> str:
    """Whether the trial is the default, and why it was stopped; empty for most trials."""
    about = ["the default"] if trial.origin == DEFAULT else []
    if why := trial.stop or trial.early_stop:
        about.append(str(why))
    return f" ({'; '.join(about)})" if about else ""


def view(progress: Progress, console: Console) -> LiveView | PlainView:
    """The live view in a terminal, plain lines everywhere else."""
    return LiveView(progress, console) if console.is_terminal else PlainView(progress, console)
