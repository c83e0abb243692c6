import io

from rich.console import Console

from autoft.report.tables import best_trials

from .records import info, trial


def test_the_table_has_a_column_for_each_parameter_that_any_of_the_best_has():
    trials = [trial(0, values=(0.4,)), trial(1, values=(0.6,), unfreeze_depth="all"), trial(2, "PRUNED")]
    shown = io.StringIO()
    Console(file=shown, width=120).print(best_trials(info(), trials))
    header, first, second = shown.getvalue().splitlines()
    assert header.split() == ["trial", "macro_f1", "learning_rate", "unfreeze_depth", "time"]
    assert first.split() == ["1", "0.6000", "0.0001", "all", "2", "min"]
    assert second.split() == ["0", "0.4000", "0.0001", "2", "min"]
