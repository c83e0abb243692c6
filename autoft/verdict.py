"""The verdict: at the end of a session the sealed test rows are opened once for a new winner.

The model that is registered is read back and asked, beside the default and the baselines. Each opening is
written down before a row is read (`data.seal`), and counted.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from autoft.answering import answers_of
from autoft.data.seal import open_test, times_opened
from autoft.errors import AutoftError, StudyError, TrackingError
from autoft.judge.baselines import FittedBaselines
from autoft.judge.on_test import judge
from autoft.spec.space import Value
from autoft.study.baselines import best_baseline
from autoft.study.budget import unfinished
from autoft.study.comparison import default_of
from autoft.study.layout import sealed_folder
from autoft.study.records import read_info, read_trials
from autoft.study.tested import DEFAULT, WINNER, Tested, write_tested
from autoft.tasks.find import find_task
from autoft.tracking.loading import load_version, read_training
from autoft.tracking.registry import Registered
from autoft.tracking.retrieval import Best
from autoft.winner import OnTest, Searched

_LOG = logging.getLogger(__name__)
Asked = tuple[Any, Mapping[str, Value]]
"""A finished model, and the values by which it encodes rows; see `answers_of`."""


def is_due(searched: Searched) -> bool:
    """Whether the search is over and has a winner, and there are test rows that it has not been asked for."""
    there = searched.prepared.size("test") > 0
    over = unfinished(searched.study, searched.spec.budget) is None and searched.outstanding is None
    return there and over and searched.winner() is not None and searched.on_test is None


def verdict_on(
    searched: Searched,
    best: Best,
    version: Registered,
    *,
    baselines: FittedBaselines | None,
    say: Callable[[str], None],
) -> OnTest | None:
    """Opens the test rows if that `is_due`, stores what they say, and returns what stands.

    Whatever happens, the winner stays registered. The next session tries again.

    Args:
        searched: the search.
        best: its winner.
        version: as which the winner is registered.
        baselines: None opens nothing: a verdict needs them.
        say: tells the user what takes long.

    Raises:
        TrackingError: the registry does not answer.
    """
    if baselines is None or not is_due(searched):
        return searched.on_test
    try:
        return _open(searched, best, version, baselines, say)
    except TrackingError:
        raise
    except Exception as error:
        _LOG.info("the verdict is left out", exc_info=True)
        say(f"test: the verdict is left out, because of {type(error).__name__}: {error}")
        return None


def _open(
    searched: Searched,
    best: Best,
    version: Registered,
    baselines: FittedBaselines,
    say: Callable[[str], None],
) -> OnTest:
    spec, prepared = searched.spec, searched.prepared
    say(f"test: {prepared.size('test'):,} sealed rows are opened, for the winner, default and baselines")
    folder, task = sealed_folder(spec.study), find_task(spec.task)
    _, trial = searched.chosen(best)
    # All are there before a row is read: an opening must not be in vain.
    models = {WINNER: _registered(searched, version), **_default(searched, best, say)}
    rows = open_test(folder, f"verdict on {version.model_uri}")
    opened = times_opened(folder.parent, rows)
    answers = {
        name: answers_of(task, model, rows, prepared.targets, values)
        for name, (model, values) in models.items()
    }
    info = read_info(searched.study)
    rival = best_baseline(info.baselines, spec.objective, info.direction)
    found = judge(
        task,
        spec.metric,
        prepared.targets,
        {**answers, **baselines.answers(rows)},
        rival.name if rival else None,
        opened,
    )
    tested = Tested(
        trial=best.trial,
        seed=trial.seed,
        refit=best.refit is not None and best.refit["failed"] is None,
        model_uri=version.model_uri,
        metric=spec.objective,
        digest=prepared.digest,
        rows=len(rows),
        opened=opened,
        contenders=found.contenders,
        breakdown=task.breakdown(*answers[WINNER], prepared.targets),
        objection=found.objection,
        said=found.said,
    )
    write_tested(searched.study, tested)
    return OnTest(tested, rows)


def _registered(searched: Searched, version: Registered) -> Asked:
    """The registered file."""
    uri = searched.spec.tracking.uri
    training = read_training(uri, version.name, version.version)
    if training is None:
        raise StudyError(
            f"{version.model_uri} does not say how its rows are encoded: an earlier autoft made it"
        )
    return load_version(uri, version.name, version.version), training.values


def _default(searched: Searched, best: Best, say: Callable[[str], None]) -> dict[str, Asked]:
    """The default as it was scored; none if it is the winner, or its model cannot be had any more."""
    default = default_of(read_trials(searched.study))
    if default is None or default.number == best.trial:
        return {}
    try:
        tuned = searched.fine_tuned(default, say)
    except AutoftError as error:
        say(f"test: the default is left out: {error}")
        return {}
    return {DEFAULT: (tuned, tuned.values)}
