"""How each trial's score went, and where the pruner stopped it."""

import math

from autoft.report import words
from autoft.report.page.axis import Axis
from autoft.report.page.blocks import Line, Mark, Plot, Section, Table
from autoft.report.page.reported import Reported
from autoft.study.records import TrialRecord


def curves(reported: Reported) -> Section | None:
    """A line for each trial; a stopped one ends in a mark."""
    info, measured = reported.info, [trial for trial in reported.trials if _values(trial, reported)]
    if not measured:
        return None
    x = Axis(0.0, 100.0)
    y = Axis.around((value for trial in measured for _, value in _values(trial, reported)), up=True)
    lines, marks = [], []
    for trial in sorted(measured, key=lambda each: reported.kind(each) in ("winner", "default")):
        points = [(x.at(100 * share), y.at(value)) for share, value in _values(trial, reported)]
        ended = f"trial {trial.number}, {words.score(trial.score)}"
        title = f"{ended}; stopped: {trial.stop}" if trial.stop is not None else ended
        lines.append(Line(points, reported.kind(trial), title))
        if trial.stop is not None:
            marks.append(Mark(*points[-1], "pruned", title))
    stopped = [trial for trial in measured if trial.stop is not None]
    plot = Plot(
        f"{info.objective} of each trial over the share of its training",
        "% of its training",
        info.objective,
        x.ticks,
        y.ticks,
        marks,
        lines,
        legend=reported.legend(measured),
    )
    summary = f"{len(stopped)} of {words.count(len(measured), 'trial')} stopped early"
    return Section("Curves", summary, [plot, *([_stops(stopped)] if stopped else [])])


def _values(trial: TrialRecord, reported: Reported) -> list[tuple[float, float]]:
    """Share of the training and score of each measurement."""
    objective = reported.info.objective
    values = [(each.fraction, each.metrics.get(objective, math.nan)) for each in trial.measurements]
    return [(share, value) for share, value in values if math.isfinite(value)]


def _stops(stopped: list[TrialRecord]) -> Table:
    rows = [(str(trial.number), words.score(trial.score), str(trial.stop)) for trial in stopped]
    return Table("What was stopped, and why", ("trial", "score", "stopped"), rows, (0, 1))
