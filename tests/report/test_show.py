import io
from dataclasses import replace

import pytest
from rich.console import Console

from autoft.errors import StudyError
from autoft.report.show import ShownStudy, show_study, show_trial

from .records import info, measurement, trial


def shown(write):
    text = io.StringIO()
    write(Console(file=text, width=120))
    return text.getvalue()


def test_a_study_lists_its_trials_with_the_reason_of_a_failure(tmp_path):
    study = ShownStudy(
        info(), [trial(0, values=(0.4,)), trial(1, "FAIL", values=(), reason="loss is nan")], tmp_path
    )
    text = shown(lambda console: show_study(study, console))
    assert text.index("0.4000") < text.index("loss is nan")


def test_a_trial_shows_parameters_curve_log_and_traceback(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "trial-0003.log").write_text("a library [said] so\n")
    failed = trial(3, "FAIL", values=(0.5, 0.7, 0.6), reason="boom", traceback="Traceback:\nValueError: [x]")
    text = shown(lambda console: show_trial(ShownStudy(info(), [failed], tmp_path), 3, console))
    assert "learning_rate      0.0001       searched" in text
    assert "a library [said] so" in text
    assert "ValueError: [x]" in text
    curve = [line for line in text.splitlines() if "▇" in line]
    assert [line.split()[1] for line in curve] == ["0.7000", "0.6000"]  # 0.5 is the lowest: no bar
    assert curve[0].rstrip().endswith("best")
    assert curve[0].count("▇") == 2 * curve[1].count("▇")


def test_the_bar_is_longest_at_the_best_also_where_less_is_better(tmp_path):
    losses = [measurement(i + 1, loss, objective="log_loss") for i, loss in enumerate((0.9, 0.5, 0.7))]
    infinite = measurement(4, float("inf"), objective="log_loss")
    shown_trial = replace(trial(0), measurements=(*losses, infinite), score=0.5, best_index=2)
    study = ShownStudy(info("minimize", "log_loss"), [shown_trial], tmp_path)
    text = shown(lambda console: show_trial(study, 0, console))
    curve = [line for line in text.splitlines() if "▇" in line]
    assert [line.split()[1] for line in curve] == ["0.5000", "0.7000"]  # 0.9 is the worst: no bar
    assert curve[0].rstrip().endswith("best")
    assert curve[0].count("▇") == 2 * curve[1].count("▇")


def test_a_trial_that_there_is_not_is_an_error_that_says_which_there_are(tmp_path):
    with pytest.raises(StudyError, match="no trial 9: tickets has 1 trial, from 0 on"):
        show_trial(ShownStudy(info(), [trial(0)], tmp_path), 9, Console(file=io.StringIO()))
