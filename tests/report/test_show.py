import io
from dataclasses import replace

import pytest
from rich.console import Console

from autoft.errors import StudyError
from autoft.report.show import ShownStudy, show_study, show_trial
from autoft.study.baselines import Baseline
from autoft.study.stop import Stop

from .records import early, info, measurement, trial


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


STOP = Stop(rival=0, share=4 / 12, behind=0.073)


def test_a_study_says_for_each_stop_against_whom_and_what_the_default_has(tmp_path):
    made = [
        trial(0, values=(0.7,), origin="default"),
        trial(1, "PRUNED", values=(0.4,), origin="learned", stop=STOP),
        trial(2, values=(0.72,)),
    ]
    trials = [
        replace(each, measurements=tuple(replace(one, error=0.03) for one in each.measurements))
        for each in made
    ]
    text = shown(lambda console: show_study(ShownStudy(info(), trials, tmp_path), console))
    rows = [line.split() for line in text.splitlines()]
    assert rows[0] == ["trial", "state", "macro_f1", "time", "origin", "parameters"]
    assert rows[1] == ["2", "complete", "0.7200", "2", "min", "learning_rate=0.0001"]
    assert rows[2] == ["0", "complete", "0.7000", "2", "min", "default", "learning_rate=0.0001"]
    assert rows[3] == ["1", "pruned", "0.4000", "2", "min", "learned", "learning_rate=0.0001"]
    assert " ".join(rows[4]) == "stopped: 0.0730 behind trial 0 at 33 % of its training"
    assert "\n\nwinner     trial 2, macro_f1 0.7200\ndefault    trial 0, macro_f1 0.7000\n\n" in text
    # sqrt(2) * 0.03 * sqrt(1.0625) = 0.0437
    assert text.rstrip().endswith("no more than noise: 0.7200 against 0.7000, standard error 0.0437.")


def test_baselines_stand_below_the_winner_and_the_default_with_what_they_were_fitted_on(tmp_path):
    trivial = Baseline("trivial", {"macro_f1": 0.0368}, 0.01, 1000, 1000, 0.2)
    found = (
        trivial,
        replace(trivial, name="classical", metrics={"macro_f1": 0.71}, rows=250, seconds=12.4),
        replace(trivial, name="frozen", metrics={}, error=None, failed="OSError: [red] no room"),
    )
    study = ShownStudy(
        replace(info(), baselines=found), [trial(0, values=(0.7,), origin="default")], tmp_path
    )
    text = shown(lambda console: show_study(study, console))
    assert (
        "\ndefault    trial 0, macro_f1 0.7000\n"
        "baseline   trivial, macro_f1 0.0368 (1,000 training rows, 0 s)\n"
        "baseline   classical, macro_f1 0.7100 (250 of 1,000 training rows, 12 s)\n"
        "baseline   frozen failed: OSError: [red] no room\n"
    ) in text
    assert text.rstrip().endswith(
        "The winner is no better than the classical baseline: 0.7000 against 0.7100."
    )


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ("default", "the default: the recommended configuration, as near as the space allows"),
        ("first", "queued by you"),
        ("shallow", "the recommended configuration with fewer trained blocks"),
        ("learned", "one of the best of an earlier study"),
        (None, "proposed by the sampler"),
    ],
)
def test_a_trial_says_where_it_comes_from_and_against_whom_it_was_stopped(tmp_path, origin, said):
    stopped = ShownStudy(info(), [trial(3, "PRUNED", values=(0.4,), origin=origin, stop=STOP)], tmp_path)
    lines = shown(lambda console: show_trial(stopped, 3, console)).splitlines()
    assert lines[0] == "trial 3 of tickets: pruned, macro_f1 0.4000, 2 min"
    assert lines[1:3] == [f"  {said}", "  stopped: 0.0730 behind trial 0 at 33 % of its training"]


def test_where_early_stopping_ended_a_trial_is_said(tmp_path):
    study = ShownStudy(info(), [early(trial(0)), trial(1)], tmp_path)
    rows = [line.split() for line in shown(lambda console: show_study(study, console)).splitlines()]
    assert rows[1][:2] == ["0", "complete"]
    assert " ".join(rows[2]) == "early stop at epoch 2.0 of 4"
    assert rows[3][:2] == ["1", "complete"]
    lines = shown(lambda console: show_trial(study, 0, console)).splitlines()
    assert lines[1:3] == ["  proposed by the sampler", "  early stop at epoch 2.0 of 4"]


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


@pytest.mark.parametrize(("searched", "state"), [(True, "running"), (False, "interrupted")])
def test_a_trial_that_runs_in_no_process_was_interrupted(tmp_path, searched, state):
    study = ShownStudy(info(), [trial(0), trial(1, "RUNNING")], tmp_path, searched)
    assert shown(lambda console: show_study(study, console)).splitlines()[2].split()[:2] == ["1", state]
    assert f"trial 1 of tickets: {state}, macro_f1 0.7000" in shown(lambda out: show_trial(study, 1, out))


def test_a_trial_that_there_is_not_is_an_error_that_says_which_there_are(tmp_path):
    with pytest.raises(StudyError, match="no trial 9: tickets has 1 trial, from 0 on"):
        show_trial(ShownStudy(info(), [trial(0)], tmp_path), 9, Console(file=io.StringIO()))
