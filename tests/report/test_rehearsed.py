"""What a rehearsal says where something stands in the way, and where it has to be read with care."""

import io
from pathlib import Path

from rich.console import Console

from autoft.report.forecast import DiskNeed, Pace
from autoft.report.rehearsed import Page

from .records import trial
from .test_forecast import tried

GB = 10**9


def page():
    text = io.StringIO()
    return Page(Console(file=text, width=200)), text


def test_a_trial_that_fails_is_a_problem_told_once():
    said, text = page()
    reason = "the worker process died"
    lost = [trial(number, state="FAIL", reason=reason, unfreeze_depth="all") for number in range(2)]
    said.failures(lost)
    said.end()
    assert said.problems == 1
    assert "trial      PROBLEM: unfreeze_depth=all on host: the worker process died\n" in text.getvalue()
    assert text.getvalue().endswith("1 problem; fix what is marked above.\n")


def test_a_disk_that_is_too_small_is_a_problem():
    said, text = page()
    need = DiskNeed(checkpoints=3 * GB, going_on=2 * GB, cache=GB, model=GB)
    said.disk(need, 8 * GB, None, Path("/here"))
    assert said.problems == 0
    assert "disk       7 GB at most: checkpoints 3 GB, resume files 2 GB" in text.getvalue()
    said.disk(need, 6 * GB, None, Path("/here"))
    assert said.problems == 1
    assert "PROBLEM: 7 GB are needed" in text.getvalue()
    assert "/here has room for 6 GB" in text.getvalue()
    said.disk(need, 8 * GB, 4 * GB, Path("/here"))  # resources.disk
    assert said.problems == 2
    assert "PROBLEM: resources.disk is 4 GB, but checkpoints alone can take 5 GB" in text.getvalue()


def test_the_forecast_is_a_range_with_times_of_day():
    said, text = page()
    said.forecast([Pace(2, 60.0, 600.0)], 10, 3600.0, 0.0)
    first, second, third = text.getvalue().splitlines()
    assert first.startswith("a trial    takes 60 s to 10 min")
    assert second.startswith("trials     10 trials in 5 min to 50 min: ")
    # Two places, six rounds in an hour, even if all are slow.
    assert third.startswith("           10 of them within budget.time, by ")
    said.forecast([Pace(2, 60.0, 600.0)], 0, None, 0.0)
    assert text.getvalue().endswith("none is left to run, a larger budget.trials goes on\n")


def test_memory_is_told_for_all_places_and_short_memory_is_told():
    said, text = page()
    said.tried([tried(values={"unfreeze_depth": 2}, gpu_bytes=5 * GB, micro_batch=4)], 3)
    assert (
        "memory     on n: at most 1 GB a trial, 3 GB for 3 at a time; 5 GB of its GPU's\n" in text.getvalue()
    )
    assert "speed      0.5 s a step; memory takes 4 rows at a time: unfreeze_depth=2\n" in text.getvalue()
