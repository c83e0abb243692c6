import io

import pytest
from rich.console import Console

from autoft.report.outcome import Outcome, print_outcome
from autoft.tracking.retrieval import Best

from .records import info, trial

BEST = Best("tickets", {"learning_rate": 1e-4}, "macro_f1", 0.7, 0, "run", "models:/tickets/1")
COMPLETE = trial(0, values=(0.7,))
FAILED = trial(1, "FAIL", values=(), reason="RuntimeError: boom")


def said(trials, *, total, ran, best=None, unrecorded=None):
    shown = io.StringIO()
    print_outcome(Outcome(info(), trials, total, ran, best, unrecorded), Console(file=shown, width=110))
    return shown.getvalue()


@pytest.mark.parametrize(
    ("trials", "total", "ran", "sentence"),
    [
        ([COMPLETE, FAILED], 2, 2, "Study tickets: 2 trials (1 complete, 1 failed)."),
        ([COMPLETE], 1, 0, "The budget of study tickets is met (1 complete); nothing was run."),
        ([COMPLETE], 3, 1, "study tickets has 1 of 3 trials (1 complete). The same command goes on."),
        ([], 3, 0, "study tickets has 0 of 3 trials. The same command goes on."),
    ],
)
def test_where_the_study_stands_is_said_in_a_sentence(trials, total, ran, sentence):
    assert sentence in said(trials, total=total, ran=ran, best=BEST if trials else None)


def test_the_winner_its_model_and_the_commands_to_go_on_with():
    text = said([COMPLETE], total=1, ran=1, best=BEST)
    assert "champion   trial 0, macro_f1 0.7000\nmodel      models:/tickets/1" in text
    assert [f"autoft {command} tickets" in text for command in ("show", "best", "ui")] == [True] * 3


def test_a_server_that_took_nothing_is_told_and_the_model_is_not_said_to_be_registered():
    unregistered = Best("tickets", {}, "macro_f1", 0.7, 0, "", None)
    text = said([COMPLETE], total=1, ran=1, best=unregistered, unrecorded="MLflow does not answer")
    assert "model      not registered" in text
    assert "not recorded: MLflow does not answer" in text


def test_without_a_winner_the_most_frequent_reasons_are_what_one_needs():
    text = said([FAILED, FAILED, trial(2, "FAIL", values=(), reason="other")], total=3, ran=3)
    assert "No trial succeeded" in text
    assert text.index("2 x RuntimeError: boom") < text.index("1 x other")
