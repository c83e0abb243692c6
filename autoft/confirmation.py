"""After the search: its best configurations and the default on fresh seeds, and which of them wins.

The replicas are a study of their own (`judge.replicas`), run, resumed and published like any other, round by
round (`judge.rounds`). What is found is stored in the search's study; done once, it is not done again until
other trials would be compared.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial

from rich.console import Console

from autoft.errors import StudyError
from autoft.judge import answers
from autoft.judge.answers import Answers
from autoft.judge.conclusion import compared_of, decide, median_replica
from autoft.judge.expected import Scores, score, together
from autoft.judge.replicas import name_of, owners, replicas, request_of
from autoft.judge.rounds import FEWEST, Rounds, rounds
from autoft.planned_study import Train, extend, open_planned, trainer
from autoft.report import words
from autoft.report.printing import say
from autoft.report.replicas import ReplicaLines
from autoft.spec.study import Confirm
from autoft.study.budget import unfinished
from autoft.study.comparison import candidates_of, default_of
from autoft.study.confirmed import Confirmed, write_confirmed
from autoft.study.layout import CHECKPOINTS, CONFIRM, LOGS
from autoft.study.records import TrialRecord, read_info, read_trial, read_trials, write_info
from autoft.study.requests import forget_stop
from autoft.study.storage import MissingStudyError, Study, find_study, study_id, trials_left
from autoft.tasks.find import find_task
from autoft.tracking.recorder import Recorder
from autoft.winner import Searched, kept_answers

PUBLISH_PATIENCE_S = 60.0
"""How long to wait for a tracking server, from one published replica to the next."""


def confirm(searched: Searched, console: Console, began_s: float) -> bool:
    """Trains the replicas that are missing, stores what is found, and publishes both.

    Call it when no more trials begin and `spec.confirm` asks for it. Nothing is trained or found
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
    direction, asked = read_info(searched.study).direction, searched.spec.confirm
    assert asked is not None  # the caller's to see
    candidates = candidates_of(read_trials(searched.study), direction, asked.top)
    if not candidates:
        return False  # no trial is complete, so there is nothing to confirm
    race = _Race(searched, asked, candidates, _open(searched), console)
    recorder, patience_s = race.replicas.recorder(), 0.0
    try:
        recorder.catch_up(trial.number for trial in read_trials(race.study))
        stopped = False if searched.is_confirmed else _run(race, recorder, began_s)
        if searched.is_confirmed and unfinished(searched.study, searched.spec.budget) is None:
            _keep_one_checkpoint(
                searched, race.replicas
            )  # while trials may come another replica may be chosen
        if not stopped:
            recorder.flush(PUBLISH_PATIENCE_S, while_it_moves=True)
            patience_s = PUBLISH_PATIENCE_S
    finally:
        recorder.close(patience_s, interrupted=not searched.is_confirmed)
    forget_stop(race.study)
    return stopped


def find_replicas(searched: Searched) -> Searched | None:
    """The study of replicas, for reading; None if there is none."""
    storage = searched.spec.search.storage
    try:
        return searched.replicas(find_study(name_of(searched.spec.study), searched.folder / CONFIRM, storage))
    except MissingStudyError:
        return None


def _open(searched: Searched) -> Study:
    """The study of replicas, made or continued; those of a round that have not begun are planned anew."""
    spec, info = searched.spec, read_info(searched.study)
    study = open_planned(searched, request_of(spec, 0), searched.folder / CONFIRM)
    write_info(study, replace(info, name=name_of(info.name), confirms=info.name))
    return study


@dataclass(frozen=True)
class _Race:
    """The candidates, and what their replicas have shown so far."""

    searched: Searched
    asked: Confirm
    candidates: Sequence[TrialRecord]
    study: Study
    """Of the replicas."""
    console: Console
    scored: dict[int, Scores] = field(default_factory=dict)
    """What is known of them by now, by number."""

    @property
    def replicas(self) -> Searched:
        """With all that are planned by now."""
        return self.searched.replicas(self.study)

    @property
    def ended(self) -> dict[int, dict[int, TrialRecord]]:
        """The replicas of each candidate that have ended, by the place of their seed."""
        owner = owners(self.searched.spec, self.candidates)
        of_each: dict[int, dict[int, TrialRecord]] = {each.number: {} for each in self.candidates}
        for replica in read_trials(self.study):
            if replica.state != "RUNNING" and replica.seed in owner:
                trial, place = owner[replica.seed]
                of_each[trial][place] = replica
        return of_each

    def rounds(self) -> Rounds:
        """What is needed, by what has ended."""
        shown = {
            trial: {place: self.score(each) if _is_whole(each) else None for place, each in of.items()}
            for trial, of in self.ended.items()
        }
        return rounds(self.searched.spec.metric, self.asked.seeds, shown)

    def score(self, replica: TrialRecord) -> Scores:
        """On the validation rows; found once."""
        if replica.number not in self.scored:
            spec, targets = self.searched.spec, self.searched.prepared.targets
            answered = _answers(self.replicas, replica, self.console)
            self.scored[replica.number] = score(find_task(spec.task), spec.objective, [answered], targets)
        return self.scored[replica.number]


def _is_whole(replica: TrialRecord) -> bool:
    return replica.state == "COMPLETE" and replica.score is not None


def _run(race: _Race, recorder: Recorder, began_s: float) -> bool:
    """Runs round after round and stores what is found; returns whether it was stopped."""
    searched, train = race.searched, None
    with ExitStack() as ray:
        while True:
            asked = race.rounds()
            extend(race.study, replicas(searched.spec, race.candidates, asked.seeds))
            if trials_left(race.study, race.replicas.spec.budget) == 0:
                write_confirmed(searched.study, _find(race, asked))
                return False
            train = train or ray.enter_context(trainer(race.replicas, partial(_is_last, searched)))
            stopped = _train(race, asked, train, recorder, began_s)
            if stopped or trials_left(race.study, race.replicas.spec.budget) > 0:
                return stopped  # the next session continues


def _is_last(searched: Searched) -> bool:
    over = unfinished(searched.study, searched.spec.budget) is None and not searched.spec.refit
    return over and searched.is_confirmed


def _train(race: _Race, asked: Rounds, train: Train, recorder: Recorder, began_s: float) -> bool:
    """Runs the replicas of this round; returns whether it was stopped."""
    running = race.replicas
    left = trials_left(running.study, running.spec.budget)
    most = race.asked.seeds * len(race.candidates)
    said = f"confirm: {words.count(left, 'replica')} on fresh seeds, of at most {most} in all"
    if asked.dropped:
        said += f"; trial {', '.join(map(str, asked.dropped))} cannot win any more"
    say(race.console, said, "dim")
    owner = {seed: trial for seed, (trial, _) in owners(race.searched.spec, race.candidates).items()}
    read = partial(read_trial, running.study)
    lines = ReplicaLines(running.spec.objective, owner, read, race.console)
    return train(running, [recorder, lines], began_s)


def _find(race: _Race, asked: Rounds) -> Confirmed:
    """Decides by the complete ones of the replicas that were needed.

    Raises:
        StudyError: no configuration has FEWEST complete replicas.
    """
    searched, spec = race.searched, race.searched.spec
    of_each = {
        trial: [each for place, each in sorted(of.items()) if place < asked.seeds[trial] and _is_whole(each)]
        for trial, of in race.ended.items()
    }
    enough = [trial for trial in race.candidates if len(of_each[trial.number]) >= FEWEST]
    if not enough:
        raise StudyError(
            f"study {spec.study!r}: the confirmation has found nothing, because no configuration has "
            f"{FEWEST} complete replicas. {race.replicas.folder / LOGS} says why they failed"
        )
    default = default_of(read_trials(searched.study))
    scores = {each.number: together([race.score(one) for one in of_each[each.number]]) for each in enough}
    compared = [
        compared_of(each, _same(each, default), of_each[each.number], scores[each.number]) for each in enough
    ]
    rows = searched.prepared.sizes["validation"]
    concluded = decide(spec.metric, rows, compared, scores, asked.dropped)
    chosen = median_replica(of_each[concluded.chosen], spec.metric.direction)
    return Confirmed(
        metric=spec.objective,
        rows=rows,
        top=race.asked.top,
        seeds=race.asked.seeds,
        candidates=tuple(trial.number for trial in race.candidates),
        compared=concluded.compared,
        kind=concluded.kind,
        chosen=concluded.chosen,
        lead=concluded.lead,
        said=concluded.said,
        study_id=study_id(race.study),
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
