"""The tables at the end of a search and in `autoft show`."""

from collections.abc import Sequence

import pandas as pd
from rich.table import Table

from autoft.report import words
from autoft.study.records import StudyInfo, TrialRecord


def ranked(info: StudyInfo, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """COMPLETE trials from the best to the worst, then all others by number."""
    sign = -1 if info.direction == "maximize" else 1
    complete = [t for t in trials if t.state == "COMPLETE" and t.score is not None]
    others = [t for t in trials if t not in complete]
    return sorted(complete, key=lambda t: (sign * (t.score or 0.0), t.number)) + others


LISTED = 5
"""Trials in the table at the end of a search."""


def best_trials(info: StudyInfo, trials: Sequence[TrialRecord]) -> Table:
    """The LISTED best COMPLETE trials, a column for each searched parameter."""
    shown = [t for t in ranked(info, trials) if t.state == "COMPLETE"][:LISTED]
    names = list(dict.fromkeys(name for trial in shown for name in trial.params))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("trial", info.objective, *names, "time"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for trial in shown:
        params = [words.value(trial.params[name]) if name in trial.params else "" for name in names]
        table.add_row(str(trial.number), words.score(trial.score), *params, words.duration(trial.duration_s))
    return table


def frame(trials: Sequence[TrialRecord]) -> pd.DataFrame:
    """Every trial as a row: number, state, score, duration_s, reason, then a column a searched parameter."""
    rows = [
        {
            "number": trial.number,
            "state": trial.state,
            "score": trial.score,
            "duration_s": trial.duration_s,
            "reason": trial.reason,
            **trial.params,
        }
        for trial in trials
    ]
    return pd.DataFrame(rows)
