"""After the choice: the winner's configuration once more, on training and validation rows together.

The rows that served to choose are a third to a half as many as those that were trained on (what that is worth
is in experiments/LOG.md). The training is a study of its own, of planned trials, so that it is run and
resumed like any other. It is not published: its scores are of rows that it has seen.
"""

from rich.console import Console

from autoft.planned_study import extend, open_planned, trainer
from autoft.report.printing import say
from autoft.study.budget import unfinished
from autoft.study.layout import REFIT
from autoft.study.planned import PlannedTrial, planned_request, read_plan
from autoft.study.records import TrialRecord, read_trials
from autoft.study.refitted import Refitted, refit_name, write_refitted
from autoft.study.requests import forget_stop
from autoft.study.significance import Z, error_of_difference
from autoft.study.storage import Study, trials_left
from autoft.winner import Searched

TRIES = 2
"""Each in a session of its own: what stood in the way of the first may be gone."""


def refit(searched: Searched, console: Console, began_s: float) -> bool:
    """Trains the winner again, unless it has been, and stores how. What has failed is tried TRIES times.

    Call it when no more trials begin and `spec.refit` asks for it. A confirmation that has not ended may
    still choose another winner, so nothing happens before that.

    Args:
        searched: the search.
        console: where it is said.
        began_s: on the monotonic clock, when the session began, for `budget.time`.

    Returns:
        Whether it was stopped; the next session continues it.

    Raises:
        StudyError: the disk is full.
    """
    best, unconfirmed = searched.winner(), searched.spec.confirm is not None and not searched.is_confirmed
    refitted = searched.refitted
    if best is None or unconfirmed or (refitted is not None and refitted.failed is None):
        return False
    _, trial = searched.chosen(best)
    planned = _once_more(trial)
    request = planned_request(searched.spec, refit_name(searched.spec.study), 0)
    study = open_planned(searched, request, searched.folder / REFIT)
    failed = [each for each in _made(study, planned) if each.state not in ("RUNNING", "COMPLETE")]
    extend(study, [planned] * min(len(failed) + 1, TRIES))
    again, stopped = searched.refits(study), False
    rows = sum(searched.prepared.size(split) for split in ("train", "validation"))
    if trials_left(study, again.spec.budget) > 0:
        more = "once more" if failed else "again"
        on = f"on all {rows:,} training and validation rows"
        say(console, f"refit: trial {best.trial} is trained {more}, {on}", "dim")
        with trainer(again, lambda: unfinished(searched.study, searched.spec.budget) is None) as train:
            stopped = train(again, [], began_s)
    if trials_left(study, again.spec.budget) == 0:
        *before, made = _made(study, planned)
        why = why_not_used(trial, made, searched.spec.metric.direction)
        once_more = made.state != "COMPLETE" and len(before) + 1 < TRIES
        write_refitted(searched.study, _refitted(best.trial, planned, made, rows, why, once_more))
    forget_stop(study)
    return stopped


def _made(study: Study, planned: PlannedTrial) -> list[TrialRecord]:
    """The trainings of that plan so far, in order."""
    plan = read_plan(study)
    return [each for each in read_trials(study) if plan[each.number] == planned]


def _once_more(trial: TrialRecord) -> PlannedTrial:
    """The same values and seed, to the share of the steps at which the trial was best."""
    best = next(each for each in trial.measurements if each.index == trial.best_index)
    return PlannedTrial(dict(trial.values), trial.seed or 0, best.fraction)


def why_not_used(trial: TrialRecord, made: TrialRecord, direction: str) -> str | None:
    """Why the model is not to be used: having seen the validation rows, it can be no worse on them."""
    if made.state != "COMPLETE" or made.score is None or trial.score is None:
        return made.reason or "no reason known"
    behind = trial.score - made.score if direction == "maximize" else made.score - trial.score
    if behind > Z * (error_of_difference(trial, made) or 0.0):
        return f"it scores {made.score:.4f} on the validation rows, after {trial.score:.4f} without them"
    return None


def _refitted(
    number: int, planned: PlannedTrial, made: TrialRecord, rows: int, failed: str | None, once_more: bool
) -> Refitted:
    epochs = float(planned.values["epochs"])
    said = (
        f"Trial {number} was trained again on all {rows:,} training and validation rows, for "
        f"{planned.ends_at * epochs:.3g} of {epochs:g} epochs, where it was best: this is the model. "
        "The score is that of the training before, without the validation rows."
    )
    if failed is not None:
        said = (
            f"Trial {number} could not be trained again on the validation rows too ({failed}), so the model "
            f"is that of the training before.{' The same command tries it once more.' if once_more else ''}"
        )
    return Refitted(number, planned.seed, made.number, rows, failed, said)
