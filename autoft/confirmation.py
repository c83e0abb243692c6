"""After the search: its best configurations and the default on fresh seeds, and which of them wins.

The replicas are a study of their own (`judge.replicas`), run, resumed and published like any other. What is
found is stored in the search's study; done once, it is not done again until other trials would be compared.
"""

from dataclasses import replace
from functools import partial

from rich.console import Console

from autoft.errors import StudyError
from autoft.judge import answers
from autoft.judge.answers import Answers
from autoft.judge.expected import score
from autoft.judge.replicas import name_of, replicas_of, request_of, wanted
from autoft.judge.verdict import FEWEST, compared_of, decide, median_replica
from autoft.planned_study import open_planned, train
from autoft.report.printing import say
from autoft.report.replicas import ReplicaLines
from autoft.study.comparison import candidates_of, default_of
from autoft.study.confirmed import Confirmed, write_confirmed
from autoft.study.layout import CHECKPOINTS, CONFIRM, LOGS
from autoft.study.planned import read_plan
from autoft.study.records import TrialRecord, read_info, read_trial, read_trials, write_info
from autoft.study.requests import forget_stop
from autoft.study.storage import MissingStudyError, find_study, study_id, trials_left
from autoft.tasks.find import find_task
from autoft.tracking.recorder import Recorder
from autoft.winner import Searched, kept_answers

PUBLISH_PATIENCE_S = 60.0
"""How long to wait for a tracking server, from one published replica to the next."""


def confirm(searched: Searched, console: Console, began_s: float) -> bool:
    """Trains the replicas that are missing, stores what is found, and publishes both.

    Call it when the search's trials are done and `spec.confirm` asks for it. Nothing is trained or found
    twice. The winner is `Searched.winner` then.

    Args:
        searched: the search.
        console: where a line for each replica is printed.
        began_s: on the monotonic clock, when the session began, for `budget.time`.

    Returns:
        Whether it was stopped; the next session continues it.

    Raises:
        StudyError: replica after replica failed, the disk is full, or too few replicas are complete.
    """
    if not candidates_of(read_trials(searched.study), read_info(searched.study).direction, 1):
        return False  # no trial is complete, so there is nothing to confirm
    replicas = _open(searched)
    recorder, patience_s = recorder_of(replicas), 0.0
    try:
        recorder.catch_up(trial.number for trial in read_trials(replicas.study))
        stopped = _train(searched, replicas, recorder, console, began_s)
        if trials_left(replicas.study, replicas.spec.budget) == 0 and not searched.is_confirmed:
            write_confirmed(searched.study, _find(searched, replicas, console))
            _keep_one_checkpoint(searched, replicas)
        if not stopped:
            recorder.flush(PUBLISH_PATIENCE_S, while_it_moves=True)
            patience_s = PUBLISH_PATIENCE_S
    finally:
        recorder.close(patience_s, interrupted=not searched.is_confirmed)
    forget_stop(replicas.study)
    return stopped


def find_replicas(searched: Searched) -> Searched | None:
    """The study of replicas, for reading; None if there is none."""
    storage = searched.spec.search.storage
    try:
        return searched.replicas(find_study(name_of(searched.spec.study), searched.folder / CONFIRM, storage))
    except MissingStudyError:
        return None


def recorder_of(replicas: Searched) -> Recorder:
    """Publishes the replicas beside the search's trials."""
    spec, study = replicas.spec, replicas.study
    return Recorder(
        spec.tracking.uri,
        spec.tracking.experiment or spec.study,
        study_id(study),
        lambda: read_info(study),
        lambda number: read_trial(study, number),
    )


def _open(searched: Searched) -> Searched:
    """The study of replicas, made or continued; with those besides that are needed by now."""
    spec, info = searched.spec, read_info(searched.study)
    needed = wanted(spec, read_trials(searched.study))
    replicas = open_planned(searched, request_of(spec, 0), searched.folder / CONFIRM, needed)
    write_info(replicas, replace(info, name=name_of(info.name), confirms=info.name))
    return searched.replicas(replicas)


def _train(
    searched: Searched, replicas: Searched, recorder: Recorder, console: Console, began_s: float
) -> bool:
    """Runs the replicas that are left; returns whether it was stopped."""
    study, spec = replicas.study, replicas.spec
    left = trials_left(study, spec.budget)
    if left == 0:
        return False
    say(console, f"confirm: {left} of {spec.budget.trials} replicas on fresh seeds are left to train", "dim")
    lines = ReplicaLines(spec.objective, _owners(searched, replicas), partial(read_trial, study), console)
    return train(replicas, [recorder, lines], began_s)


def _owners(searched: Searched, replicas: Searched) -> dict[int, int]:
    """The number of the search's trial whose configuration each replica has, by the replica's number."""
    planned = read_plan(replicas.study)
    return {
        planned.index(replica): trial.number
        for trial in _candidates(searched)
        for replica in replicas_of(searched.spec, trial)
    }


def _candidates(searched: Searched) -> list[TrialRecord]:
    assert searched.spec.confirm is not None
    direction = read_info(searched.study).direction
    return candidates_of(read_trials(searched.study), direction, searched.spec.confirm.top)


def _complete(searched: Searched, replicas: Searched) -> dict[int, list[TrialRecord]]:
    """The complete replicas of each candidate, by the number of its trial."""
    owners = _owners(searched, replicas)
    of_each: dict[int, list[TrialRecord]] = {trial.number: [] for trial in _candidates(searched)}
    for replica in read_trials(replicas.study):
        if replica.state == "COMPLETE" and replica.score is not None and replica.number in owners:
            of_each[owners[replica.number]].append(replica)
    return of_each


def _find(searched: Searched, replicas: Searched, console: Console) -> Confirmed:
    """Scores the complete replicas on the validation rows, and decides.

    Raises:
        StudyError: no configuration has FEWEST complete replicas.
    """
    spec, asked, candidates = searched.spec, searched.spec.confirm, _candidates(searched)
    assert asked is not None
    default, task = default_of(read_trials(searched.study)), find_task(spec.task)
    of_each = _complete(searched, replicas)
    enough = [trial for trial in candidates if len(of_each[trial.number]) >= FEWEST]
    if not enough:
        raise StudyError(
            f"study {spec.study!r}: the confirmation has found nothing, because no configuration has "
            f"{FEWEST} complete replicas. {replicas.folder / LOGS} says why they failed"
        )
    say(console, f"confirm: comparing {len(enough)} configurations on the validation rows", "dim")
    scores, compared = {}, []
    for trial in enough:
        own = of_each[trial.number]
        answered = [_answers(replicas, replica, console) for replica in own]
        scores[trial.number] = score(task, spec.objective, answered, searched.prepared.targets)
        compared.append(compared_of(trial, _same(trial, default), own, scores[trial.number]))
    rows = searched.prepared.sizes["validation"]
    verdict = decide(spec.metric, rows, compared, scores)
    chosen = median_replica(of_each[verdict.chosen], spec.metric.direction)
    return Confirmed(
        metric=spec.objective,
        rows=rows,
        top=asked.top,
        seeds=asked.seeds,
        candidates=tuple(trial.number for trial in candidates),
        compared=verdict.compared,
        kind=verdict.kind,
        chosen=verdict.chosen,
        lead=verdict.lead,
        said=verdict.said,
        study_id=study_id(replicas.study),
        replica=chosen.number,
        seed=chosen.seed or 0,
        score=chosen.score or 0.0,
    )


def _same(trial: TrialRecord, default: TrialRecord | None) -> bool:
    return default is not None and dict(trial.values) == dict(default.values)


def _answers(replicas: Searched, replica: TrialRecord, console: Console) -> Answers:
    """What a replica answers to the validation rows; asked once."""
    path = answers.path_of(replicas.folder, "replica", replica.number)
    return kept_answers(path, lambda: replicas.answered(replica, partial(say, console, wrap=True)))


def _keep_one_checkpoint(searched: Searched, replicas: Searched) -> None:
    """Deletes the checkpoints of all replicas but that whose model is registered."""
    confirmed = read_info(searched.study).confirmed
    assert confirmed is not None
    kept = read_trial(replicas.study, confirmed.replica).checkpoint
    for path in (replicas.folder / CHECKPOINTS).iterdir():
        if f"{CHECKPOINTS}/{path.name}" != kept:
            path.unlink(missing_ok=True)
