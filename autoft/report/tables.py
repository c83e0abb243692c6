"""The table at the end of a search."""

from collections.abc import Sequence

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
