"""The verdict: at the end of a session the sealed test rows are opened once for a new winner.

The model that is registered is read back and asked, beside the default and the baselines. Each opening is
written down before a row is read (`data.seal`), and counted.
"""

import logging
from collections.abc import Callable

import pyarrow as pa

from autoft.answering import answers_of
from autoft.data.seal import open_test, openings
from autoft.errors import TrackingError
from autoft.judge.baselines import FittedBaselines
from autoft.judge.on_test import judge
from autoft.study.baselines import best_baseline
from autoft.study.comparison import default_of
from autoft.study.layout import sealed_folder
from autoft.study.records import read_info, read_trials
from autoft.study.tested import DEFAULT, WINNER, Tested, write_tested
from autoft.tasks.find import find_task
from autoft.tasks.protocol import Scorable
from autoft.tracking.registry import Registered
from autoft.tracking.retrieval import Best, load_version, read_training
from autoft.winner import OnTest, Searched

_LOG = logging.getLogger(__name__)


def is_due(searched: Searched) -> bool:
    """Whether the winner is found, and there are test rows that have not been opened for it."""
    there = searched.prepared.size("test") > 0
    found = searched.winner() is not None and searched.outstanding is None
    return there and found and searched.on_test is None


def test_winner(
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
    rows = open_test(folder, f"verdict on {version.model_uri}")
    opened = len(openings(folder))
    _, trial = searched.chosen(best)
    answers = {WINNER: _of_version(searched, version, rows), **_of_default(searched, best, rows, say)}
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


def _of_version(searched: Searched, version: Registered, rows: pa.Table) -> Scorable:
    """What the registered file says."""
    uri, spec = searched.spec.tracking.uri, searched.spec
    model = load_version(uri, version.name, version.version)
    training = read_training(uri, version.name, version.version)
    assert training is not None  # this version of autoft has written it
    return answers_of(find_task(spec.task), model, rows, searched.prepared.targets, training.values)


def _of_default(
    searched: Searched, best: Best, rows: pa.Table, say: Callable[[str], None]
) -> dict[str, Scorable]:
    default = default_of(read_trials(searched.study))
    if default is None or default.number == best.trial:
        return {}
    tuned = searched.fine_tuned(default, say)
    return {DEFAULT: answers_of(tuned.task, tuned, rows, searched.prepared.targets, tuned.values)}
