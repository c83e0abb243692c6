"""What becomes of the winner where a search is stopped, with a registry that is slow, absent or well."""

import signal
import time
from dataclasses import replace
from types import SimpleNamespace

import optuna
import pytest
from sqlalchemy.exc import OperationalError

from autoft import ending, signals
from autoft.ending import Ending, conclude, fit_baselines, interruption, report
from autoft.errors import ModelError
from autoft.signals import gently, handle_signals
from autoft.study.baselines import Baseline, read_baselines
from autoft.study.identity import identity_of
from autoft.study.records import write_info
from autoft.study.storage import open_study
from autoft.tracking.aliases import Promotion

from .report.records import info
from .study.scripted import make_spec
from .test_winner import BEST

FIRST = Promotion("champion", "if_better", "became the champion, because there was none.")
GO_ON = " The same command registers the best at its end."


class Recorder:
    """Takes all at once, or says what it lacks."""

    def __init__(self, lacks=None):
        self.lacks, self.told = lacks, []

    def flush(self, timeout_s, *, while_it_moves):
        return self.lacks

    def registered(self, model_uri):
        self.told.append(model_uri)


class Searched:
    """Whose winner takes so long to be registered."""

    def __init__(self, best=BEST, takes_s=0.0, lacks=None):
        self.best, self.takes_s, self.lacks, self.asked = best, takes_s, lacks, []
        self.stored = []

    def winner(self):
        if isinstance(self.best, Exception):
            raise self.best
        return self.best

    def register_winner(self, best, say, tries, test):
        self.asked.append(tries)
        time.sleep(self.takes_s)
        if self.lacks:
            return best, None, self.lacks
        return replace(best, model_uri="models:/study/1"), FIRST, None

    def store_promotion(self, promotion, model_uri):
        self.stored.append((promotion, model_uri))


def test_a_winner_that_is_registered_is_said_with_its_name():
    recorder, searched = Recorder(), Searched()
    ending = conclude(searched, recorder, print, stopped=True)
    assert ending.said == "The best so far, trial 3 (macro_f1 0.8000), is registered: models:/study/1"
    assert (searched.asked, recorder.told) == ([1], ["models:/study/1"])
    assert ending.promotion == FIRST
    assert searched.stored == [(FIRST, "models:/study/1")]


def test_a_search_that_was_not_stopped_tries_more_than_once():
    searched = Searched(lacks="the winner's model: the server is gone")
    ending = conclude(searched, Recorder(), print, stopped=False)
    assert (ending.best, ending.unrecorded) == (BEST, "the winner's model: the server is gone")
    assert searched.asked == [3]


def test_a_server_that_lacks_the_runs_is_not_offered_the_model():
    searched = Searched()
    ending = conclude(searched, Recorder("MLflow does not answer."), print, stopped=True)
    assert searched.asked == []
    assert ending.said == (
        "The best so far, trial 3 (macro_f1 0.8000), was not registered now: MLflow does not answer." + GO_ON
    )


def test_after_sigterm_registering_takes_no_longer_than_there_is_time(monkeypatch):
    monkeypatch.setattr(signals, "LIMIT_S", signals.END_S + 0.3)
    searched = Searched(takes_s=30.0)
    with handle_signals():
        with gently(lambda: None):
            signal.raise_signal(signal.SIGTERM)
        began_s = time.monotonic()
        ending = conclude(searched, Recorder(), print, stopped=True)
    assert time.monotonic() - began_s < 5
    assert ending.said == (
        "The best so far, trial 3 (macro_f1 0.8000), was not registered now: there was no time for it."
        + GO_ON
    )


def test_after_ctrl_c_it_takes_its_time(monkeypatch):
    monkeypatch.setattr(signals, "LIMIT_S", signals.END_S + 0.3)
    with handle_signals():
        with gently(lambda: None):
            signal.raise_signal(signal.SIGINT)
        ending = conclude(Searched(takes_s=0.5), Recorder(), print, stopped=True)
    assert ending.best.model_uri == "models:/study/1"


def test_where_nothing_is_complete_nothing_is_registered():
    assert conclude(Searched(None), Recorder(), print, stopped=True) == Ending(None, None, None)
    assert Ending(None, None, None).said == "No trial is complete yet, so none is registered."


@pytest.mark.parametrize(
    ("winner", "said"),
    [
        (
            BEST,
            "The best so far, trial 3 (macro_f1 0.8000), was not registered now: it was interrupted." + GO_ON,
        ),
        (OperationalError("", {}, Exception("gone")), ""),
    ],
)
def test_who_ends_it_at_once_is_told_that_it_is_not_registered_as_far_as_is_known(winner, said):
    assert interruption(Searched(winner)).said == said


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (OSError(28, "No space left"), "report: left out, because of OSError: [Errno 28] No space left"),
        (KeyboardInterrupt(), "report: interrupted, so it is left out; autoft report study writes it"),
    ],
)
def test_a_report_that_cannot_be_written_is_told_and_ends_nothing(tmp_path, raised, said):
    told, spec = [], make_spec()
    study = open_study(spec, tmp_path, identity_of(spec, "digest"))
    write_info(study, info())

    class Recorder:
        def reported(self, page):
            raise raised

    class Searched:
        def keep_answers(self):
            raise ModelError("its checkpoint is gone")

    searched = Searched()
    searched.study, searched.folder, searched.spec = study, tmp_path, spec
    assert report(searched, Recorder(), told.append) is None
    assert told == ["the winner's answers: left out, because of ModelError: its checkpoint is gone", said]


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (ValueError("no such file"), "baselines: left out, because of ValueError: no such file"),
        (KeyboardInterrupt(), "baselines: interrupted, so they are left out; the same command fits them"),
    ],
)
def test_baselines_that_cannot_be_fitted_are_told_and_tried_again_by_the_next_session(
    raised, said, monkeypatch
):
    monkeypatch.setattr(ending, "is_due", lambda searched: False)
    found = Baseline("trivial", {"macro_f1": 0.1}, 0.01, rows=5, train_rows=5, seconds=0.1)

    class Searched:
        study = optuna.create_study()
        results = (raised, SimpleNamespace(scored=[found]), AssertionError("they are fitted once"))

        def winner(self):
            return BEST

        def fit_baselines(self):
            result, *self.results = self.results
            if isinstance(result, BaseException):
                raise result
            return result

    class Recorder:
        def catch_up(self, numbers):
            told.append("published")

    told, searched = [], Searched()
    for _ in range(3):
        fit_baselines(searched, Recorder(), told.append)
    fitting = "baselines: fitting simple models, to be held against the winner"
    assert told == [fitting, said, fitting, "published"]
    assert read_baselines(searched.study) == (found,)
