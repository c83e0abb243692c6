"""What the page says is what the study holds. Figures of `small_study` are written down there."""

import csv
import re
from dataclasses import replace

import pytest

from autoft.data.finding import Finding
from autoft.data.prepare import PLACES_FILE
from autoft.report import words
from autoft.report.page.first_screen import first_screen
from autoft.report.page.page import render, sections, write_page
from autoft.report.page.reported import Reported
from autoft.report.page.validation import validation_of
from autoft.study import tested
from autoft.study.confirmed import Compared, Confirmed, Lead
from autoft.study.promoted import Promoted, write_promoted
from autoft.study.records import read_trials
from autoft.tasks.breakdown import Breakdown, Calibration

from .small_study import HOSTILE, shown_of

TITLES = [
    "Curves",
    "What decides",
    "Where the good ones lie",
    "Right and wrong",
    "Rows to look at",
    "Failures",
    "All trials",
    "How to reproduce it",
    "Model card",
]


def test_the_answer_is_that_of_the_storage(reported, study):
    best = max((each for each in read_trials(study) if each.state == "COMPLETE"), key=lambda each: each.score)
    first = first_screen(reported)
    assert first.answer == f"Trial {best.number} wins with macro_f1 {best.score:.4f} on validation rows."
    assert first.configuration == words.parameters(best.params)
    scores = {bar.name: (bar.value, bar.note) for bar in first.scores.bars}
    # 1.64 standard errors: of 0.02 for trials and the baseline.
    assert scores == {
        f"winner, trial {best.number}": (f"{best.score:.4f}", "± 0.0328"),
        "trivial baseline": ("0.3000", "± 0.0328"),
    }
    assert dict(first.cost)["Trials"] == "20: 9 complete, 10 pruned, 1 failed"
    assert dict(first.cost)["GPU hours"] == "none, on CPUs"
    stopped = [each for each in read_trials(study) if each.stop is not None]
    # A measurement takes 0.5 s, and a whole trial has four.
    assert (
        f"{sum(2 - len(each.measurements) / 2 for each in stopped):.0f} s"
        in dict(first.cost)["Spared by stopping"]
    )


def test_every_trial_is_drawn_that_was_measured(reported):
    picture = first_screen(reported).picture
    assert len(picture.marks) == 19  # one of 20 failed
    assert [mark.kind for mark in picture.marks].count("pruned") == 10
    assert picture.marks[-1].kind == "winner"  # above the others


def test_all_sections_are_there_in_order_and_a_study_without_answers_has_none_of_them(
    reported, study, folder
):
    found = sections(reported, validation_of(reported))
    assert [section.title for section in found] == TITLES
    titles = [section.title for section in sections(reported, None)]
    assert titles == [title for title in TITLES if title not in ("Right and wrong", "Rows to look at")]


def test_what_a_row_or_an_error_holds_is_text(reported):
    page = render(reported, validation_of(reported))
    assert "<script" not in page
    assert "\x1b" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; \\x1b[31m" in page
    assert "bill&lt;b&gt;" in page
    assert re.findall(r"(?:src|href|url\()\S+", page) == ['href="data:,">']


def test_likely_mislabeled_rows_are_beside_the_page(study, folder):
    assert write_page(study, shown_of(study, folder)) == folder / "report.html"
    with (folder / "suspects.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    # The first validation row, labeled bill<b>, is answered with the second of the sorted labels.
    assert rows[0] == ["row", "text", "label", "suggested", "probability", "suggested_probability"]
    place = 'data["validation"]: iloc 0'  # rows 15 to 29 are that frame
    assert [row[:4] for row in rows[1:]] == [[place, f"{HOSTILE} row 15", "bill<b>", "other"]]
    # A study of before it was kept.
    kept = (folder / "data" / PLACES_FILE).rename(folder / "aside")
    write_page(study, shown_of(study, folder))
    kept.rename(folder / "data" / PLACES_FILE)
    assert f"\n,{HOSTILE} row 15,bill<b>,other," in (folder / "suspects.csv").read_text()


def test_suspects_of_an_earlier_winner_do_not_stay(study, folder):
    shown = shown_of(study, folder)
    write_page(study, shown)
    assert (folder / "suspects.csv").exists()
    write_page(study, replace(shown, trials=[each for each in shown.trials if each.state != "COMPLETE"]))
    assert not (folder / "suspects.csv").exists()


def test_a_running_search_has_a_leader_and_says_that_it_runs(study, folder):
    first = first_screen(Reported(study, shown_of(study, folder, searched=True)))
    assert " leads with " in first.answer
    assert "The search is running" in first.sentences[-1]


def test_a_winner_no_better_than_the_trivial_baseline_has_learned_nothing(study, folder):
    shown = shown_of(study, folder)
    trivial, failed = shown.info.baselines
    strong = replace(trivial, metrics={"macro_f1": 0.86})  # the winner has 0.8678
    found = Reported(study, replace(shown, info=replace(shown.info, baselines=(strong, failed))))
    assert first_screen(found).answer == (
        "Trial 8 leads, but nothing was learned: its macro_f1 is 0.8678, not better by more than noise than "
        "0.8600 of a model that hardly reads the rows."
    )


def test_what_was_found_in_the_rows_is_shown_with_its_examples(study, folder):
    shown = shown_of(study, folder)
    found = Finding("copies", "3 rows of train are in test too", "Remove them", examples=("<b>a</b>",))
    reported = Reported(study, replace(shown, info=replace(shown.info, findings=(found,))))
    (section,) = [each for each in sections(reported, None) if each.title == "Rows"]
    assert section.summary == "1 finding before the first trial"
    assert section.parts[0].rows == [
        ("warning", "copies", "3 rows of train are in test too. Remove them", "<b>a</b>")
    ]
    assert "&lt;b&gt;a&lt;/b&gt;" in render(reported, None)


def test_a_verdict_on_test_rows_comes_first_and_its_scores_are_shown(study, folder):
    shown = shown_of(study, folder)
    best = Reported(study, shown).winner
    contenders = (
        tested.Contender("winner", {"macro_f1": 0.8}, 0.02),
        tested.Contender("trivial", {"macro_f1": 0.3}, 0.01, low=0.45, high=0.55),
    )
    scores = {"precision": 0.5, "recall": 0.25, "f1": 0.3333, "support": 4.0}
    breakdown = Breakdown(
        {"<i>": scores, "b": scores},
        [[3, 1], [0, 3]],
        Calibration(0.05, [{"confidence": 0.91, "right": 0.857, "answers": 7}]),
    )
    found = tested.Tested(
        trial=best.number,
        seed=best.seed,
        refit=False,
        model_uri="models:/study/1",
        metric="macro_f1",
        digest=shown.info.data["digest"],
        rows=7,
        opened=2,
        contenders=contenders,
        breakdown=breakdown,
        objection=None,
        said="On the test rows it is better.",
    )
    reported = Reported(study, replace(shown, info=replace(shown.info, tested=found)))
    first = first_screen(reported)
    assert first.sentences == ["On the test rows it is better."]
    assert [(bar.name, bar.value, bar.note) for bar in first.scores.bars] == [
        ("winner", "0.8000", "± 0.0328"),
        ("trivial baseline", "0.3000", "± 0.0164"),
    ]
    assert first.answer == (
        f"Trial {best.number} wins with macro_f1 0.8000 on the sealed test: better than the trivial baseline."
    )
    section = sections(reported, None)[0]
    assert (section.title, section.summary) == (
        "Verdict on the sealed test",
        "test rows opened for the second time",
    )
    assert section.parts[1].rows[1] == ("trivial", "0.3000", "0.0100", "+0.4500 to +0.5500")
    by_label, matrix, pairs, said, reliability = section.parts[2:]
    assert by_label.rows[0] == ("<i>", "0.5000", "0.2500", "0.3333", "4")
    assert (matrix.names, matrix.counts) == (["<i>", "b"], [[3, 1], [0, 3]])
    assert pairs.rows == [("1", "<i>", "b")]
    assert "5.0 points apart" in said
    assert reliability.rows == [("0.91", "0.86", "7")]
    assert "<i>" not in render(reported, None)


@pytest.mark.parametrize(
    ("kept", "answer"),
    [
        ((), "No trial is complete yet."),
        (("FAIL",), "No trial succeeded, so there is no winner."),
        (("PRUNED",), "No trial is complete yet."),
    ],
)
def test_without_a_winner_the_page_says_so(study, folder, kept, answer):
    shown = shown_of(study, folder)
    trials = [trial for trial in shown.trials if trial.state in kept]
    reported = Reported(study, replace(shown, trials=trials))
    first = first_screen(reported)
    assert (first.answer, first.scores) == (answer, None)
    assert answer in render(reported, validation_of(reported))


def test_a_confirmation_is_shown_with_its_interval(study, folder):
    shown = shown_of(study, folder)
    ordered = sorted((t for t in shown.trials if t.state == "COMPLETE"), key=lambda each: -each.score)
    best, second = ordered[0].number, ordered[1].number
    compared = (
        Compared(second, False, (0.85, 0.87), 60.0),
        Compared(best, False, (0.8, 0.82), 30.0),
    )
    confirmed = Confirmed(
        metric="macro_f1",
        rows=15,
        top=2,
        seeds=2,
        candidates=(best, second),
        compared=compared,
        kind="beats",
        chosen=second,
        lead=Lead(best, 0.05, 0.01, 0.09, 0.95),
        said=f"Trial {second} beats trial {best}.",
        study_id="x",
        replica=0,
        seed=1,
        score=0.85,
    )
    reported = Reported(study, replace(shown, info=replace(shown.info, confirmed=confirmed)))
    first = first_screen(reported)
    # The registered replica's 0.85, which is not the score that the trial had in the search.
    assert first.answer == (
        f"Trial {second} wins with macro_f1 0.8500 on validation rows: better than all others on fresh seeds."
    )
    assert first.scores.bars[0].value == "0.8500" != f"{ordered[1].score:.4f}"
    card = next(each for each in sections(reported, None) if each.title == "Model card").parts[0].text
    assert "Of this trial in the search, on the validation rows" in card
    assert f"Trial {second} beats trial {best}." in first.sentences[0]
    # Of its replica, without the error of the training in the search.
    assert (first.scores.bars[0].name, first.scores.bars[0].note) == (
        f"winner, trial {second}, median replica",
        "",
    )
    assert "unknown" not in " ".join(first.sentences)
    trials = [
        replace(t, origin="default", reason="out of memory") if t.state == "FAIL" else t for t in shown.trials
    ]
    alone = first_screen(Reported(study, replace(reported.shown, trials=trials)))
    assert (
        "did not finish (out of memory), so it is unknown whether the winner is better" in alone.sentences[1]
    )
    section = sections(reported, None)[0]
    assert section.title == "Confirmation"
    assert "+0.0500, 95.0 % interval +0.0100 to +0.0900" in section.parts[-1]


def test_a_search_that_is_not_over_has_a_leader_and_says_what_is_left(study, folder):
    left = "2 of 40 trials have ended; its confirmation has not ended"
    first = first_screen(Reported(study, replace(shown_of(study, folder), left=left)))
    assert " leads with " in first.answer
    assert first.sentences[-1] == f"The search is not over: {left}. The same command goes on."


def test_what_the_model_became_is_said_while_the_same_training_wins(study, folder, reported):
    winner = reported.winner
    said = "models:/mail/1 became the champion, because there was none."
    write_promoted(study, Promoted(winner.number, winner.seed, False, "models:/mail/1", said))
    assert first_screen(reported).sentences[-1] == f"At the end of the search: {said}"
    write_promoted(study, Promoted(winner.number, winner.seed, True, "models:/mail/1", said))
    assert said not in " ".join(first_screen(Reported(study, shown_of(study, folder))).sentences)


def test_rivals_that_stand_alike_are_named_together(reported, study, folder):
    winner, shown = reported.winner, shown_of(study, folder)
    one = tested.Contender("winner", {"macro_f1": 0.8}, 0.02)
    default, trivial = (replace(one, name=name, low=-0.1, high=0.2) for name in ("default", "trivial"))
    found = tested.Tested(
        winner.number, winner.seed, False, "models:/mail/1", "macro_f1", shown.info.data["digest"], 15, 1,
        (one, default, trivial), Breakdown(), None, "",
    )  # fmt: skip
    first = first_screen(Reported(study, replace(shown, info=replace(shown.info, tested=found))))
    assert first.answer.endswith("no better by more than chance than the default and the trivial baseline.")
