"""What a rehearsal says where something stands in the way, and where it has to be read with care."""

import io
from pathlib import Path

from rich.console import Console

from autoft.report.rehearsed import DiskNeed, Page, Tried

from .records import trial

GB = 10**9


def tried(**changes):
    of = {"values": {}, "node": "n", "step_s": 0.5, "trial_s": 600.0, "host_bytes": 10**9, "gpu_bytes": 0}
    return Tried(**{**of, "checkpoint_bytes": 100, "resume_bytes": 300, "micro_batch": None, **changes})


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


def test_the_disk_holds_the_best_trials_and_those_that_run():
    need = DiskNeed.of([tried(), tried(checkpoint_bytes=200, resume_bytes=600)], 3, 2, 50, 1000)
    # Three kept and two running with two files each; two resume states with two files each.
    assert (need.checkpoints, need.going_on) == (200 * (3 + 2 * 2), 600 * 2 * 2)
    assert need.total == 1400 + 2400 + 50 + 2 * 1000


def test_memory_is_told_for_all_places_and_short_memory_is_told():
    said, text = page()
    said.tried([tried(values={"unfreeze_depth": 2}, gpu_bytes=5 * GB, micro_batch=4)], 3)
    assert (
        "memory     on n: at most 1 GB a trial, 3 GB for 3 at a time; 5 GB of its GPU's\n" in text.getvalue()
    )
    assert (
        "speed      0.5 s a step, at most 10 min a trial; "
        "only 4 rows fit in memory at a time: unfreeze_depth=2\n" in text.getvalue()
    )
