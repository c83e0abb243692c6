"""How much of a session's time is kept for confirmation and refit, and that no trial begins in it."""

from dataclasses import replace

import pytest

from autoft.spec.study import Budget, Confirm
from autoft.study import reserve
from autoft.study.confirmed import Confirmed
from autoft.study.identity import identity_of
from autoft.study.records import write_info
from autoft.study.refitted import Refitted
from autoft.study.reserve import reserved_s
from autoft.study.storage import open_study
from autoft.study.tuner import Tuner

from ..report import records
from .scripted import make_spec, measurement

INFO = replace(records.info(), data={"rows": {"train": 80, "validation": 20}})
BUDGET = Budget(9, time_s=1000.0)
CONFIRM = make_spec(confirm=Confirm(top=1, seeds=3), budget=BUDGET)
CONFIRMED = Confirmed("macro_f1", 9, 1, 3, (1, 0), (), "beats", 1, None, "", "id", 0, 5, 0.6)


def trial(number, score, took_s, **changes):
    made = records.trial(number, values=(score,), searched=number)
    measured = replace(made.measurements[0], elapsed_s=took_s)
    return replace(made, measurements=(measured,), duration_s=1.0, **changes)


TRIALS = [trial(0, 0.5, 10.0, origin="default"), trial(1, 0.9, 30.0), trial(2, 0.7, 99.0)]


def kept(monkeypatch, spec, trials=TRIALS, info=INFO, workers=2):
    monkeypatch.setattr(reserve, "read_trials", lambda study: trials)
    monkeypatch.setattr(reserve, "read_info", lambda study: info)
    return reserved_s(None, spec, workers)


def test_it_is_what_the_candidates_took_on_all_seeds_by_two_workers(monkeypatch):
    assert kept(monkeypatch, CONFIRM) == 3 * (30 + 10) / 2 + 30  # trial 2 is no candidate
    assert kept(monkeypatch, CONFIRM, workers=4) == 3 * (30 + 10) / 4 + 30
    refit = replace(CONFIRM, refit=True)
    assert kept(monkeypatch, refit) == 90 + 30 * 100 / 80  # the winner, on a quarter more rows
    assert kept(monkeypatch, replace(refit, confirm=None)) == 30 * 100 / 80


def test_the_start_of_a_worker_counts(monkeypatch):
    slow = [replace(each, duration_s=40.0) for each in TRIALS[:1]]
    assert kept(monkeypatch, CONFIRM, slow) == 3 * 40 / 2 + 40


def test_it_is_at_most_half_of_the_time(monkeypatch):
    short = replace(CONFIRM, budget=replace(BUDGET, time_s=100.0))
    assert kept(monkeypatch, short) == 50.0


def test_what_is_done_needs_none(monkeypatch):
    confirmed = replace(INFO, confirmed=CONFIRMED)
    more = replace(CONFIRM, confirm=Confirm(top=1, seeds=10))  # it was confirmed on three
    assert kept(monkeypatch, more, info=confirmed) == kept(monkeypatch, more) > 0
    refit = replace(CONFIRM, refit=True)
    assert kept(monkeypatch, CONFIRM, info=confirmed) == 0.0
    assert kept(monkeypatch, refit, info=confirmed) == 30 * 100 / 80
    done = replace(confirmed, refitted=Refitted(1, CONFIRMED.seed, 0, 100, None, ""))
    assert kept(monkeypatch, refit, info=done) == 0.0
    # A better trial has come since, so both are needed again.
    assert kept(monkeypatch, refit, [*TRIALS, trial(3, 0.95, 20.0)], done) == 3 * 30 / 2 + 20 + 25


@pytest.mark.parametrize(
    ("spec", "trials"),
    [
        (replace(CONFIRM, budget=Budget(9)), TRIALS),
        (replace(CONFIRM, confirm=None), TRIALS),
        (replace(CONFIRM, refit=True), []),
    ],
)
def test_nothing_is_kept_without_a_limit_a_wish_or_a_finished_trial(monkeypatch, spec, trials):
    assert kept(monkeypatch, spec, trials) == 0.0


@pytest.mark.parametrize(("now_s", "begins"), [(599.0, True), (600.0, False)])
def test_no_trial_begins_in_the_time_that_is_kept(tmp_path, now_s, begins):
    """One trial took 100 s: three seeds of it and 100 s of waiting are 400 of 1,000 s."""
    clock_s = [0.0]
    study = open_study(CONFIRM, tmp_path / "study", identity_of(CONFIRM, "digest"))
    write_info(study, INFO)
    tuner = Tuner(
        study,
        CONFIRM,
        precision="fp32",
        callbacks=[],
        folder=tmp_path / "study",
        max_concurrent=1,
        clock=lambda: clock_s[0],
    )
    begun = tuner.next()
    tuner.measured(begun.number, 1, measurement(1, 1, 0.5, elapsed_s=100.0), "node")
    tuner.completed(begun.number, 1)
    clock_s[0] = now_s
    assert (tuner.next() is not None) == begins
