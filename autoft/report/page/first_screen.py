"""What is seen first: the answer, the winner beside the default and the baselines, the cost, one picture."""

from collections.abc import Sequence
from dataclasses import dataclass

from autoft.report import words
from autoft.report.cache_lines import headline
from autoft.report.page.answer import answer, sentences
from autoft.report.page.axis import Axis
from autoft.report.page.blocks import Bar, Bars, Plot
from autoft.report.page.history import history_plot
from autoft.report.page.reported import Reported
from autoft.study.cost import Cost, cost_of, spared_by_storing_s
from autoft.study.layout import CONFIRM, REFIT
from autoft.study.records import TrialRecord, read_cache_plan, read_trials
from autoft.study.significance import Z
from autoft.study.tested import DEFAULT, WINNER, Tested


@dataclass(frozen=True)
class FirstScreen:
    """The texts are plain."""

    answer: str
    configuration: str
    """The winner's searched parameters; empty without one."""
    sentences: Sequence[str]
    scores: Bars | None
    """None before a trial is complete."""
    cost: Sequence[tuple[str, str]]
    picture: Plot | None


def first_screen(reported: Reported) -> FirstScreen:
    """What a study has found so far."""
    return FirstScreen(
        answer=answer(reported),
        configuration=words.parameters(reported.winner.params) if reported.winner is not None else "",
        sentences=sentences(reported),
        scores=_scores(reported),
        cost=_cost(reported),
        picture=history_plot(reported),
    )


def _scores(reported: Reported) -> Bars | None:
    """A bar each for the winner, the default and the baselines."""
    if reported.winner is None:
        return None
    info, tested = reported.info, reported.tested
    split, rows = ("validation", _on_validation(reported)) if tested is None else ("test", _on_test(tested))
    axis = Axis.around(score + sign * Z * (error or 0.0) for _, score, error in rows for sign in (-1, 1))
    bars = [
        Bar(
            name,
            words.score(score),
            axis.at(score - Z * (error or 0.0)),
            axis.at(score),
            axis.at(score + Z * (error or 0.0)),
            "winner" if index == 0 else "",
            "" if error is None else f"± {words.score(Z * error)}",
        )
        for index, (name, score, error) in enumerate(rows)
    ]
    count = info.data.get("rows", {}).get(split)
    on = f" on {words.count(count, f'{split} row')}" if count else ""
    better = "more" if info.direction == "maximize" else "less"
    caption = (
        f"{info.objective}{on}, {better} is better. The lines are 90 % intervals over the choice of rows."
    )
    return Bars(caption, ("", info.objective, "90 % interval"), bars)


Score = tuple[str, float, float | None]
"""Whose, what, and its standard error."""


def _on_test(tested: Tested) -> list[Score]:
    return [
        (
            each.name + ("" if each.name in (WINNER, DEFAULT) else " baseline"),
            each.metrics[tested.metric],
            each.error,
        )
        for each in tested.contenders
    ]


def _on_validation(reported: Reported) -> list[Score]:
    info, comparison = reported.info, reported.comparison
    assert reported.scored_winner is not None
    replica = ", median replica" if reported.confirmed is not None else ""
    if comparison is not None and comparison.is_default:
        rows = [_of_trial("winner, the default", reported.scored_winner, replica)]
    else:
        rows = [_of_trial("winner", reported.scored_winner, replica)]
        rows += [_of_trial("default", comparison.default, replica)] if comparison is not None else []
    scored = [each for each in info.baselines if each.failed is None]
    return rows + [(f"{each.name} baseline", each.metrics[info.objective], each.error) for each in scored]


def _of_trial(name: str, trial: TrialRecord, replica: str) -> Score:
    """The error is that of the training in the search: of its replicas it is none."""
    error = next((each.error for each in trial.measurements if each.index == trial.best_index), None)
    return f"{name}, trial {trial.number}{replica}", trial.score or 0.0, None if replica else error


_AFTER = {CONFIRM: "Confirmation", REFIT: "Training on all rows"}


def _took(cost: Cost) -> str:
    return (
        f"{words.duration(cost.elapsed_s)} more; all its trainings together {words.duration(cost.trials_s)}"
    )


def _cost(reported: Reported) -> list[tuple[str, str]]:
    cost, trials = cost_of(reported.study, reported.trials), reported.trials
    after = [(each, cost_of(each, read_trials(each))) for each in reported.shown.after]
    gpu_s = sum(each.gpu_s for each in (cost, *(of for _, of in after)))
    counted = words.states(trial.state for trial in trials)
    told = [
        ("Trials", f"{len(trials)}" + (f": {counted}" if counted else "")),
        ("Time", f"{words.duration(cost.elapsed_s)}; all trials together {words.duration(cost.trials_s)}"),
        *((_AFTER[each.study_name.rpartition("/")[2]], _took(of)) for each, of in after),
        ("GPU hours", f"{gpu_s / 3600:.2f} in all" if gpu_s else "none, on CPUs"),
    ]
    if reported.info.baselines:
        told.append(("Baselines", words.duration(sum(each.seconds for each in reported.info.baselines))))
    if cost.spared_s:
        told.append(("Spared by stopping", f"about {words.duration(cost.spared_s)} of training"))
    plan = read_cache_plan(reported.study)
    if plan is not None and plan.boundaries:
        spared_s = spared_by_storing_s(plan, trials, reported.info.data["rows"])
        about = f"about {words.duration(spared_s)}: " if spared_s else ""
        boundaries = words.count(len(plan.boundaries), "boundary")
        told.append(
            ("Spared by storing", f"{about}{headline(plan)} at {boundaries}, not anew in every epoch")
        )
    return told
