"""A study's trials as a DataFrame."""

from collections.abc import Sequence

import pandas as pd

from autoft.study.records import TrialRecord


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
