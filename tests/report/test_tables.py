import io

from rich.console import Console

from autoft.report.tables import best_trials, frame

from .records import info, trial


def test_the_table_has_a_column_for_each_parameter_that_any_of_the_best_has():
    trials = [trial(0, values=(0.4,)), trial(1, values=(0.6,), unfreeze_depth="all"), trial(2, "PRUNED")]
    shown = io.StringIO()
    Console(file=shown, width=120).print(best_trials(info(), trials))
    header, first, second = shown.getvalue().splitlines()
    assert header.split() == ["trial", "macro_f1", "learning_rate", "unfreeze_depth", "time"]
    assert first.split() == ["1", "0.6000", "0.0001", "all", "2", "min"]
    assert second.split() == ["0", "0.4000", "0.0001", "2", "min"]


def test_the_frame_has_a_row_a_trial_and_is_empty_without_any():
    rows = frame([trial(0), trial(1, "FAIL", values=(), reason="boom", unfreeze_depth=2)])
    assert list(rows["state"]) == ["COMPLETE", "FAIL"]
    assert list(rows.columns) == [
        "number", "state", "score", "duration_s", "reason", "learning_rate", "unfreeze_depth",
    ]  # fmt: skip
    assert frame([]).empty
