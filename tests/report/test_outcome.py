import io
from dataclasses import replace

import pytest
from rich.console import Console

from autoft.report.outcome import Outcome, print_outcome
from autoft.report.required import judged_score
from autoft.spec.study import Budget
from autoft.study.baselines import Baseline
from autoft.study.confirmed import Confirmed
from autoft.tracking.aliases import Promotion
from autoft.tracking.retrieval import Best

from .records import info, trial

BEST = Best("tickets", {"learning_rate": 1e-4}, "macro_f1", 0.7, 0, "run", "models:/tickets/1", {"epochs": 4})
COMPLETE = trial(0, values=(0.7,))
FAILED = trial(1, "FAIL", values=(), reason="RuntimeError: boom")


FIRST = Promotion("champion", "if_better", "became the champion, because there was none.")


def said(
    trials, *, total, ran, best=None, unrecorded=None, promotion=None, limit=None, outstanding=None, **budget
):
    shown, asked = io.StringIO(), Budget(total, **budget)
    outcome = Outcome(info(), trials, asked, limit, ran, best, unrecorded, promotion, outstanding)
    print_outcome(outcome, Console(file=shown, width=110))
    return shown.getvalue()


@pytest.mark.parametrize(
    ("trials", "total", "ran", "sentence"),
    [
        ([COMPLETE, FAILED], 2, 2, "Study tickets: 2 trials (1 complete, 1 failed)."),
        ([COMPLETE], 1, 0, "The budget of study tickets is met (1 complete); nothing was run."),
        (
            [COMPLETE],
            3,
            1,
            "Study tickets has 1 of 3 trials (1 complete). Run the same command again to continue.",
        ),
        ([], 3, 0, "Study tickets has 0 of 3 trials. Run the same command again to continue."),
    ],
)
def test_where_the_study_stands_is_said_in_a_sentence(trials, total, ran, sentence):
    assert sentence in said(trials, total=total, ran=ran, best=BEST if trials else None)


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        (
            "time",
            "The time of 8 h 00 min is over: study tickets has 1 of 3 trials (1 complete). "
            "Run the same command again to continue.",
        ),
        (
            "gpu_hours",
            "The 2.5 GPU hours of the budget are spent: study tickets has 1 of 3 trials (1 complete). "
            "Raise budget.gpu_hours to continue.",
        ),
    ],
)
def test_which_limit_has_ended_it_is_said(limit, sentence):
    text = said([COMPLETE], total=3, ran=1, best=BEST, limit=limit, time_s=28800.0, gpu_hours=2.5)
    assert sentence in " ".join(text.split())


def test_trials_that_the_next_session_continues_are_named_with_their_scores():
    running = [trial(3, "RUNNING", values=(0.5, 0.61)), trial(5, "RUNNING", values=())]
    text = " ".join(said([COMPLETE, *running], total=9, ran=1, best=BEST, limit="time", time_s=60.0).split())
    assert "to continue. Unfinished, to be continued: trial 3 (0.6100 so far), 5 (no score yet)." in text


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"state": "FAIL", "reason": "RuntimeError: boom"}, "did not finish (RuntimeError: boom)"),
        ({"state": "PRUNED", "reason": "out of memory"}, "did not finish (out of memory)"),
        ({"state": "RUNNING"}, "has not ended"),
    ],
)
def test_a_default_that_has_not_finished_is_no_silence(changed, told):
    default = replace(trial(1, origin="default"), **changed)
    text = said([COMPLETE, default], total=2, ran=2, best=BEST)
    sentence = f"The default (trial 1) {told}, so it is unknown whether the winner is better than it."
    assert sentence in " ".join(text.split())
    assert "winner     trial 0, macro_f1 0.7000\nmodel " in text


@pytest.mark.parametrize("limit", ["time", "gpu_hours"])
def test_that_the_confirmation_has_not_ended_is_said_where_a_limit_has_ended_the_search(limit):
    late, budget = "its confirmation has not ended", {"time_s": 28800.0, "gpu_hours": 2.5}
    text = said([COMPLETE], total=3, ran=1, best=BEST, limit=limit, outstanding=late, **budget)
    go_on = "Run the same command again to continue."
    assert f"1 of 3 trials (1 complete); {late}. {go_on}" in " ".join(text.split())


@pytest.mark.parametrize(("count", "told"), [(5, False), (6, True)])
def test_that_the_table_holds_the_best_five_alone_is_said(count, told):
    trials = [trial(number, values=(0.1 * number,)) for number in range(count)]
    text = said(trials, total=count, ran=count, best=BEST)
    assert ("the best 5 of 6 complete trials\n" in text) == told


def test_the_winner_its_model_and_the_commands_to_go_on_with():
    text = said([COMPLETE], total=1, ran=1, best=BEST, promotion=FIRST)
    assert "champion   trial 0, macro_f1 0.7000\nmodel      models:/tickets/1" in text
    assert [f"autoft {command} tickets" in text for command in ("show", "best", "ui")] == [True] * 3


def test_a_confirmed_winner_has_the_score_of_its_model_wherever_it_is_held_against_something():
    confirmed = Confirmed("macro_f1", 9, 1, 3, (0,), (), "alone", 0, None, "", "id", 2, 5, 0.62)
    scored = with_baselines(replace(info(), confirmed=confirmed), 0.65)
    outcome = Outcome(scored, [with_error(COMPLETE)], Budget(1), None, 1, BEST, None)
    shown = io.StringIO()
    print_outcome(outcome, Console(file=shown, width=110))
    assert "winner     trial 0, macro_f1 0.6200\n" in shown.getvalue()  # 0.7 in the search
    assert "worse than the classical baseline: 0.6200 against 0.6500" in " ".join(shown.getvalue().split())
    assert judged_score(outcome) == (0.62, "validation")
    others = replace(outcome, trials=[*outcome.trials, trial(1, values=(0.9,))], best=replace(BEST, trial=1))
    assert judged_score(others) == (0.9, "validation")  # that confirmation does not stand any more


def with_baselines(about, score):
    return replace(about, baselines=(Baseline("classical", {"macro_f1": score}, 0.01, 9, 9, 1.0),))


def test_a_server_that_took_nothing_is_told_and_the_model_is_not_said_to_be_registered():
    unregistered = replace(BEST, run_id="", model_uri=None)
    text = said([COMPLETE], total=1, ran=1, best=unregistered, unrecorded="MLflow does not answer")
    assert "winner     trial 0, macro_f1 0.7000\nmodel      not registered" in text
    assert "not recorded: MLflow does not answer" in text


def test_without_a_winner_the_most_frequent_reasons_are_what_one_needs():
    text = said([FAILED, FAILED, trial(2, "FAIL", values=(), reason="other")], total=3, ran=3)
    assert "No trial succeeded" in text
    assert text.index("2 x RuntimeError: boom") < text.index("1 x other")


def with_error(made, error=0.01):
    return replace(made, measurements=tuple(replace(one, error=error) for one in made.measurements))


DEFAULT = with_error(trial(0, values=(0.749,), origin="default"))


@pytest.mark.parametrize(
    ("winner", "last"),
    [
        # sqrt(2) * 0.01 * sqrt(1.0625) = 0.0146; 1.64 of them are 0.0239
        (with_error(trial(5, values=(0.774,))), "autoft ui tickets             MLflow"),
        (with_error(trial(5, values=(0.752,)), None), "autoft ui tickets             MLflow"),
        (DEFAULT, "The winner is the default configuration: no other finished trial scored better."),
    ],
)
def test_the_last_line_says_where_the_search_has_found_nothing_better_than_the_default(winner, last):
    trials = [DEFAULT] if winner is DEFAULT else [DEFAULT, winner]
    best = replace(BEST, trial=winner.number, value=winner.score)
    text = said(trials, total=2, ran=2, best=best, promotion=FIRST)
    assert text.rstrip().splitlines()[-1] == last
    assert (
        f"\n\nchampion   trial {winner.number}, macro_f1 {winner.score:.4f}\n"
        "default    trial 0, macro_f1 0.7490\nmodel      models:/tickets/1\n"
    ) in text


def test_the_last_line_tells_that_the_winner_is_ahead_of_the_default_by_no_more_than_noise():
    trials = [DEFAULT, with_error(trial(5, values=(0.752,)))]
    text = said(trials, total=2, ran=2, best=replace(BEST, trial=5, value=0.752))
    assert text.rstrip().splitlines()[-1] == (
        "The winner is better than the default (trial 0) by no more than noise: "
        "0.7520 against 0.7490, standard error 0.0146."
    )


@pytest.mark.parametrize("changes", [{"origin": None}, {"origin": "first"}])
def test_a_study_without_a_default_is_not_compared_with_one(changes):
    winner = with_error(trial(5, values=(0.7491,)))
    best = replace(BEST, trial=5, value=0.7491)
    text = said([replace(DEFAULT, **changes), winner], total=2, ran=2, best=best)
    assert "default" not in text
    assert "winner     trial 5, macro_f1 0.7491\nmodel " in text


def test_where_the_model_stays_candidate_the_last_line_says_why_and_what_to_do():
    stays = Promotion("candidate", "never", "stays candidate: register.promote is never.", "To use it: ...")
    text = said([DEFAULT], total=1, ran=1, best=replace(BEST, value=0.749), promotion=stays)
    assert "\ncandidate  trial 0, macro_f1 0.7490\n" in text
    assert text.rstrip().splitlines()[-1] == (
        "models:/tickets/1 stays candidate: register.promote is never. To use it: ..."
    )


def test_where_another_was_champion_before_it_is_said_what_has_taken_over():
    took_over = Promotion("champion", "if_better", "took over from version 3: ...", replaced=3)
    text = said([COMPLETE], total=1, ran=1, best=BEST, promotion=took_over)
    assert text.rstrip().splitlines()[-1] == "models:/tickets/1 took over from version 3: ..."
