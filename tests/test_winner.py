"""The winner and a tracking server that does not take it at once. Its model: tests/test_main_job.py."""

from pathlib import Path

import pytest

from autoft import winner
from autoft.errors import AutoftError, ModelError, TrackingError
from autoft.tracking.aliases import Promotion
from autoft.tracking.registry import Registered
from autoft.tracking.retrieval import Best

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
