"""The winner and a tracking server that does not take it at once. Its model: tests/test_main_job.py."""

from pathlib import Path

import pytest

from autoft import winner
from autoft.errors import AutoftError, ModelError, TrackingError
from autoft.spec.study import Confirm
from autoft.study.confirmed import Confirmed, write_confirmed
from autoft.study.identity import identity_of
from autoft.study.records import write_info
from autoft.study.refitted import Refitted, write_refitted
from autoft.study.storage import open_study
from autoft.study.tuner import Tuner
from autoft.tracking.aliases import Promotion
from autoft.tracking.registry import Registered
from autoft.tracking.retrieval import Best

from .report.records import info
from .study.scripted import make_spec, measurement

BEST = Best(
    "study",
    {"dropout": 0.1},
    "macro_f1",
    0.8,
    3,
    run_id="",
    model_uri=None,
    values={"dropout": 0.1, "epochs": 6},
)
REGISTERED = Registered("study", 1, run_id="run")
PROMOTION = Promotion("champion", "if_better", "became the champion, because there was none.")


@pytest.fixture
def offer(monkeypatch):
    """Offers BEST to a server that answers as given; tells what came of it, and how many answers are left."""
    monkeypatch.setattr(winner, "REGISTER_AGAIN_S", 0.01)

    def offer(*answers, tries=3):
        left = list(answers)

        def version_of(*_):
            answer = left.pop(0)
            if isinstance(answer, AutoftError):
                raise answer
            return answer

        monkeypatch.setattr(winner, "read_trial", lambda *_: None)
        monkeypatch.setattr(winner.Searched, "version_of", version_of)
        monkeypatch.setattr(winner.Searched, "_claim", lambda *_: None)
        monkeypatch.setattr(winner, "settle", lambda *_: PROMOTION)
        searched = winner.Searched(study=None, spec=None, prepared=None, folder=Path())
        return *searched.register_winner(BEST, print, tries, lambda version: None), len(left)

    return offer


def test_a_server_that_takes_it_the_third_time_has_it(offer):
    gone = TrackingError("the server is gone")
    best, promotion, unrecorded, left = offer(gone, gone, REGISTERED)
    assert (best.run_id, best.model_uri, unrecorded, left) == ("run", "models:/study/1", None, 0)
    assert promotion is PROMOTION


def test_a_server_that_never_takes_it_is_told_of_with_the_winner(offer):
    best, promotion, unrecorded, left = offer(*[TrackingError("the server is gone")] * 3, REGISTERED)
    assert (best, promotion, unrecorded, left) == (BEST, None, "the winner's model: the server is gone", 1)


def test_who_presses_ctrl_c_waits_for_one_try(offer):
    _, _, unrecorded, left = offer(TrackingError("the server is gone"), REGISTERED, tries=1)
    assert (unrecorded, left) == ("the winner's model: the server is gone", 1)


def test_what_another_try_does_not_mend_is_not_tried_again(offer):
    _, _, unrecorded, left = offer(ModelError("the base weights are gone"), REGISTERED)
    assert (unrecorded, left) == ("the winner's model: the base weights are gone", 1)


def test_what_is_outstanding_is_told_also_while_trials_are_left(tmp_path):
    """So a search that its GPU hours have ended opens no test rows before it is confirmed."""
    spec = make_spec(trials=9, confirm=Confirm(top=1, seeds=3), refit=True)
    study = open_study(spec, tmp_path / "study", identity_of(spec, "digest"))
    write_info(study, info())
    searched = winner.Searched(study, spec, prepared=None, folder=tmp_path / "study")
    assert searched.outstanding is None  # there is nothing to confirm
    place = {"precision": "fp32", "folder": tmp_path / "study", "max_concurrent": 1}
    tuner = Tuner(study, spec, callbacks=[], **place)
    assert tuner.next().number == 0
    tuner.measured(0, 1, measurement(1, 1, 0.5), "node")
    tuner.completed(0, 1)
    assert searched.outstanding == "its confirmation has not ended"
    write_confirmed(study, Confirmed("macro_f1", 9, 1, 3, (0,), (), "alone", 0, None, "", "id", 0, 5, 0.6))
    assert searched.outstanding == "its winner has not been trained again"
    write_refitted(study, Refitted(0, 5, 0, 100, None, ""))
    assert searched.outstanding is None
