import io
from dataclasses import replace

import pytest
from rich.console import Console

from autoft.report.live import LiveView, PlainView, Progress, view
from autoft.study.stop import Stop

from .records import early, info, measurement, trial


def progress(*trials, done=(), total=6, direction="maximize"):
    """A search over `trials`, of which those in `done` ended in an earlier session."""
    records = {each.number: each for each in trials}
    return Progress(info(direction), total, [records[n] for n in done], records.__getitem__)


def printed(shown, terminal=False):
    return Console(file=shown, force_terminal=terminal, width=110, height=30, color_system=None)


def test_the_best_is_the_best_complete_trial_and_the_earlier_of_equals():
    p = progress(trial(0, values=(0.7,)), trial(1, values=(0.7,)), trial(2, "PRUNED", values=(0.9,)))
    for number in (1, 0, 2):
        p.started(number)
        p.finished(number)
    assert p.winner.number == 0
    assert (p.count("COMPLETE"), p.count("PRUNED"), p.running) == (2, 1, {})


def test_less_is_better_where_the_objective_is_minimized():
    p = progress(trial(0, values=(0.7,)), trial(1, values=(0.2,)), done=(0, 1), direction="minimize")
    assert p.winner.number == 1


def test_the_estimate_rests_on_this_sessions_pace_alone(monkeypatch):
    p = progress(*(trial(n) for n in range(3)), done=(0, 1), total=6)
    assert p.remaining_s is None  # nothing ended in this session yet
    monkeypatch.setattr(type(p), "elapsed_s", property(lambda self: 50.0))
    p.finished(2)
    assert p.remaining_s == pytest.approx(150.0)  # one trial in 50 s, three to go


def test_without_a_terminal_each_finished_trial_is_one_line():
    shown = io.StringIO()
    p = progress(trial(0), trial(1, "FAIL", values=(), reason="RuntimeError: [bold]boom"))
    with view(p, printed(shown)) as plain:
        assert isinstance(plain, PlainView)
        for number in (0, 1):
            plain.started(number)
            plain.measured(number, measurement(1, 0.5))
            plain.finished(number)
    lines = shown.getvalue().splitlines()
    assert lines[0] == "trial 0 complete 0.7000 in 2 min · winner 0.7000 · 1 of 6 · learning_rate=0.0001"
    assert lines[1].startswith("trial 1 fail RuntimeError: [bold]boom in 2 min · winner 0.7000 · 2 of 6")
    assert len(lines) == 2


def test_a_plain_line_says_against_whom_a_trial_was_stopped_and_which_is_the_default():
    shown = io.StringIO()
    stop = Stop(rival=3, share=4 / 12, behind=0.073)
    p = progress(
        trial(0, values=(0.7,), origin="default"),
        trial(1, values=(0.6,), origin="learned"),
        trial(7, "PRUNED", values=(0.412,), stop=stop),
        trial(8, "PRUNED", values=(0.4,), origin="default", stop=stop),
        total=9,
    )
    with PlainView(p, printed(shown)) as plain:
        for number in (0, 1, 7, 8):
            plain.started(number)
            plain.finished(number)
    lines = shown.getvalue().splitlines()
    assert lines[0].startswith("trial 0 complete 0.7000 in 2 min (the default) · winner 0.7000 · 1 of 9")
    assert lines[1].startswith("trial 1 complete 0.6000 in 2 min · winner 0.7000 · 2 of 9")
    behind = "0.0730 behind trial 3 at 33 % of its training"
    assert lines[2].startswith(f"trial 7 pruned 0.4120 in 2 min ({behind}) · winner 0.7000 · 3 of 9")
    assert lines[3].startswith(f"trial 8 pruned 0.4000 in 2 min (the default; {behind}) · winner 0.7000")


def test_both_views_say_where_early_stopping_ended_a_trial():
    ended = early(trial(0, values=(0.7, 0.6, 0.5)))
    plain, live = io.StringIO(), io.StringIO()
    PlainView(progress(ended), printed(plain)).finished(0)
    assert plain.getvalue().startswith(
        "trial 0 complete 0.7000 in 2 min (early stop at epoch 3.0 of 4) · winner 0.7000 · 1 of 6"
    )
    printed(live).print(LiveView(progress(ended, done=(0,)), printed(io.StringIO(), terminal=True))._draw())
    assert "stopped trial 0  0.7000, early stop at epoch 3.0 of 4" in live.getvalue()


def test_nothing_dangles_where_nothing_is_searched():
    only = replace(trial(0), params={})
    plain, live = io.StringIO(), io.StringIO()
    PlainView(progress(only), printed(plain)).finished(0)
    assert plain.getvalue() == "trial 0 complete 0.7000 in 2 min · winner 0.7000 · 1 of 6\n"
    view = LiveView(progress(only, done=(0,)), printed(io.StringIO(), terminal=True))
    printed(live).print(view._draw())
    assert "winner macro_f1  0.7000  trial 0\n" in live.getvalue().replace(" \n", "\n")


def test_the_view_shows_what_the_default_has_and_the_last_stops():
    stops = [trial(n, "PRUNED", values=(0.1 * n,), stop=Stop(0, 0.5, 0.05 * n)) for n in (1, 2, 3, 4)]
    p = progress(trial(0, origin="default"), *stops, done=(1,))
    live = LiveView(p, printed(io.StringIO(), terminal=True))
    before = io.StringIO()
    printed(before).print(live._draw())
    assert "default" not in before.getvalue()
    for number in (0, 2, 4, 3):
        live.started(number)
        live.finished(number)
    shown = io.StringIO()
    printed(shown).print(live._draw())
    lines = [line.rstrip() for line in shown.getvalue().splitlines()]
    assert lines[2:6] == [
        "default macro_f1  0.7000  trial 0",
        "stopped trial 2  0.2000, 0.1000 behind trial 0 at 50 % of its training",
        "stopped trial 4  0.4000, 0.2000 behind trial 0 at 50 % of its training",
        "stopped trial 3  0.3000, 0.1500 behind trial 0 at 50 % of its training",
    ]


def test_in_a_terminal_the_view_shows_counts_best_and_what_runs():
    p = progress(trial(0), trial(1, "RUNNING"), trial(2, "RUNNING"), done=(0,))
    live = view(p, printed(io.StringIO(), terminal=True))
    assert isinstance(live, LiveView)
    for number in (1, 2):
        live.started(number)
    live.measured(1, measurement(2, 0.61234))
    shown = io.StringIO()
    printed(shown).print(live._draw())
    text = shown.getvalue()
    assert "tickets  1 of 6 trials  (1 complete · 0 pruned · 0 failed · 2 running)" in text
    assert "winner macro_f1  0.7000  trial 0: learning_rate=0.0001" in text
    assert "trial 1  epoch 2.0/4  0.6123" in text
    assert "trial 2  epoch 0/4" in text
