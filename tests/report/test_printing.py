"""What comes from a user is shown as it is, whatever rich would make of it, on any console."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from autoft.data.finding import Finding
from autoft.kernel.boundary.plan import CachePlan
from autoft.report.cache_lines import tell as tell_cache
from autoft.report.findings import tell as tell_findings
from autoft.report.live import LiveView, PlainView, Progress
from autoft.report.outcome import Outcome, print_outcome
from autoft.report.printing import new_console, one_line, say
from autoft.report.show import ShownStudy, show_study, show_trial
from autoft.spec.study import Budget
from autoft.tracking.retrieval import Best

from .records import info, trial

NASTY = ("[bug]", "[/question]", "[red]x[/]", ":smile:", "[link=http://x]y", r"\[b]")


def shown(write):
    """On a console that takes markup, emoji codes and highlights, as one of somebody else may be."""
    text = io.StringIO()
    write(Console(file=text, width=200))
    return text.getvalue()


@pytest.mark.parametrize("nasty", NASTY)
def test_names_reasons_and_errors_are_literal_everywhere(nasty, tmp_path):
    failed = trial(1, "FAIL", values=(), reason=f"no {nasty}", traceback=f"Traceback {nasty}", model=nasty)
    best = trial(0, model=nasty)
    winner = Best("tickets", dict(best.params), "macro_f1", 0.7, 0, "run", f"models:/{nasty}/1", {})
    folder = tmp_path / nasty.replace("/", "|")
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "trial-0001.log").write_text(f"said {nasty}\n")
    study = ShownStudy(info(), [best, failed], folder)
    records = {each.number: each for each in study.trials}

    def plain(console):
        view = PlainView(Progress(info(), 2, [], records.__getitem__), console)
        for number in records:
            view.started(number)
            view.finished(number)

    said = shown(plain)
    assert f"fail no {nasty} in" in said and f"model={nasty}" in said
    outcome = Outcome(info(), study.trials, Budget(2), None, 2, winner, f"not {nasty}")
    said = shown(lambda console: print_outcome(outcome, console))
    assert f"models:/{nasty}/1" in said and f"not recorded: not {nasty}" in said
    assert any(line.split()[3:4] == [nasty.split()[0]] for line in said.splitlines())  # the table's cell
    no_winner = Outcome(info(), [failed], Budget(1), None, 1, None, None)
    assert f"1 x no {nasty}" in shown(lambda console: print_outcome(no_winner, console))
    assert f"no {nasty}" in shown(lambda console: show_study(study, console))
    said = shown(lambda console: show_trial(study, 1, console))
    assert f"Traceback {nasty}" in said and f"said {nasty}" in said and f"{folder}/logs" in said
    found = Finding("rule", nasty, "Look there")
    assert f"WARNING: {nasty}" in shown(lambda console: tell_findings([found], console))
    assert nasty in shown(lambda console: tell_cache(CachePlan((), (nasty,)), console))


def test_the_live_view_is_literal_too():
    best = trial(0, model="[bug]")
    live = LiveView(Progress(replace(info(), name=":smile:"), 2, [best], {0: best}.__getitem__), Console())
    said = shown(lambda console: console.print(live._draw()))
    assert ":smile:  1 of 2 trials" in said and "model=[bug]" in said


def test_control_characters_do_not_reach_the_terminal():
    said = shown(lambda console: say(console, "a\x1b[2Jb\rc\u202ed\udce9\n\tend"))
    assert said == "a\\x1b[2Jb\\rc\\u202ed\\udce9\n" + " " * 8 + "end\n"
    assert one_line("two\nlines") == r"two\nlines"


def test_the_consoles_of_the_commands_add_nothing(capsys):
    new_console().print("[b]12[/b] :smile:")
    assert capsys.readouterr().out == "[b]12[/b] :smile:\n"
