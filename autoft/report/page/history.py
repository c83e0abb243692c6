"""Every trial with its score, in the order in which they began."""

from autoft.report import words
from autoft.report.page.axis import Axis
from autoft.report.page.blocks import Line, Mark, Plot, Section, Table
from autoft.report.page.reported import Reported
from autoft.study.comparison import ranked
from autoft.study.records import TrialRecord


def history_plot(reported: Reported) -> Plot | None:
    """A mark for each trial that was measured, and the best complete score so far."""
    info = reported.info
    scored = [trial for trial in reported.trials if trial.score is not None]
    if not scored:
        return None
    x = Axis(-0.5, max(1, scored[-1].number) + 0.5)
    y = Axis.around((trial.score or 0.0 for trial in scored), up=True)
    marks = [
        Mark(x.at(trial.number), y.at(trial.score or 0.0), reported.kind(trial), _title(trial))
        for trial in sorted(scored, key=lambda each: reported.kind(each) in ("winner", "default"))
    ]
    said = f"{info.objective} of each trial, in the order in which they began, and the best so far"
    whole = [tick for tick in x.ticks if float(tick.label).is_integer()]
    return Plot(
        said,
        "trial",
        info.objective,
        whole,
        y.ticks,
        marks,
        [_best_so_far(reported, x, y)],
        legend=reported.legend(scored),
    )


def _best_so_far(reported: Reported, x: Axis, y: Axis) -> Line:
    sign = 1 if reported.info.direction == "maximize" else -1
    best, points = None, []
    for trial in reported.trials:
        if trial.state != "COMPLETE" or trial.score is None or (best and sign * trial.score <= sign * best):
            continue
        if best is not None:
            points.append((x.at(trial.number), y.at(best)))
        best = trial.score
        points.append((x.at(trial.number), y.at(best)))
    if best is not None:
        points.append((100.0, y.at(best)))
    return Line(points, "best", "the best so far")


def _title(trial: TrialRecord) -> str:
    return f"trial {trial.number}, {trial.state.lower()}, {words.score(trial.score)}"


def history(reported: Reported) -> Section | None:
    """All trials in a table, the best first."""
    if not reported.trials:
        return None
    finished = ranked(reported.trials, reported.info.direction)
    done = {trial.number for trial in finished}
    ordered = [*finished, *(each for each in reported.trials if each.number not in done)]
    names = list(dict.fromkeys(name for trial in ordered for name in trial.params))
    rows = [
        (
            str(trial.number),
            reported.shown.state(trial),
            words.score(trial.score),
            words.duration(trial.duration_s),
            trial.origin or "",
            *(words.value(trial.params[name]) if name in trial.params else "" for name in names),
        )
        for trial in ordered
    ]
    headings = ("trial", "state", reported.info.objective, "time", "origin", *names)
    table = Table("All trials, the best first", headings, rows, (0, 2, 3, *range(5, len(headings))))
    counted = words.states(trial.state for trial in reported.trials)
    return Section("All trials", counted, [table])
