"""The table at the end of a search, and the trials as a DataFrame."""

from collections.abc import Sequence

import pandas as pd
from rich.table import Table

from autoft.report import words
from autoft.report.printing import add_row, new_table
from autoft.study.comparison import ranked
from autoft.study.records import StudyInfo, TrialRecord

LISTED = 5
"""Trials in the table at the end of a search."""


def best_trials(info: StudyInfo, trials: Sequence[TrialRecord]) -> Table:
    """The LISTED best COMPLETE trials, a column for each searched parameter."""
    shown = ranked(trials, info.direction)[:LISTED]
    names = list(dict.fromkeys(name for trial in shown for name in trial.params))
    table = new_table("trial", info.objective, *names, "time", left=("model",))
    for trial in shown:
        params = [words.value(trial.params[name]) if name in trial.params else "" for name in names]
        score, time = words.score(trial.score), words.duration(trial.duration_s)
        add_row(table, str(trial.number), score, *params, time)
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
