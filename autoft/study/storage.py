"""The study: opened or continued, and never mixed with another request's trials."""

import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SAWarning, SQLAlchemyError

from autoft.errors import StudyError
from autoft.spec.databases import connect_timeout
from autoft.spec.environment import redact
from autoft.spec.sqlite import sqlite_file
from autoft.spec.study import Budget, StudySpec
from autoft.study.identity import require_same, write_defaults
from autoft.study.layout import DATABASE, make_folders
from autoft.study.lessons import Lesson, write_lessons
from autoft.study.origin import FIRST, ORIGIN_ATTR
from autoft.study.records import IDENTITY_ATTR
from autoft.study.start import Start, queue_default, write_start

Study = optuna.Study
"""What `open_study` returns; other layers only pass it on."""
PROBE_ATTR = "probe"
"""The study's attribute that is written to see whether the storage takes it."""
CONNECT_TIMEOUT_S = 10
"""How long a database server may take to answer."""
ID_ATTR = "id"
"""The study's attribute that `study_id` reads."""
FORMAT_ATTR = "format"
"""The study's attribute: in which format it is stored, and which autoft made it."""
FORMAT, READ = 9, (6, 7, 8, 9)
"""The format of what a study and its trials store, and the formats that can be read. 1 had measurements
without decisions, 2 and 3 models without weights and tokenizers, 4 other batches, 5 decisions without
reasons; 6 has all defaults in its identity, 7 cached states by width alone, and no baselines, 8 the
threshold of micro F1 for all objectives of several labels."""
RESCORED = ("multi-label", ("macro_f1", "exact_match"))
"""The task and objectives whose scores of before format 9 are at another threshold, and lower."""
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
"""The states that count toward `budget.trials`."""


class MissingStudyError(StudyError):
    """There is no study of this name."""


class StorageError(StudyError):
    """The study's storage does not answer, or is full."""


STORAGE_PATIENCE_S = 600.0
"""How long a search waits for a database server that is gone."""
TROUBLE = (SQLAlchemyError, StorageInternalError)
"""What Optuna raises if its database is gone or full."""


@contextmanager
def clear_storage_errors(study: str) -> Iterator[None]:
    """Turns errors of the storage of the `study` of that name into a StorageError without secrets."""
    try:
        yield
    except TROUBLE as error:
        reason = str(getattr(error.__cause__ or error, "orig", None) or error).strip().splitlines()[0]
        raise StorageError(
            f"study {study!r}: its storage does not take what is written: {redact(reason)}. "
            "Nothing is lost; make room or bring the database back, then run the same command again to "
            "continue"
        ) from error


def outlast_storage(study: optuna.Study, spec: StudySpec, run: Callable[[], bool]) -> bool:
    """What `run` returns; it is called again if a database server was gone and has come back.

    After a restart of the server a search resumes as it does after a kill.

    Raises:
        StorageError: the storage does not take what is written, for STORAGE_PATIENCE_S if it is a server.
    """
    while True:
        try:
            with clear_storage_errors(spec.study):
                return run()
        except StorageError:
            url = spec.search.storage
            server = url is not None and sqlite_file(url) is None
            if not server or not wait_for_storage(study, STORAGE_PATIENCE_S):
                raise


def wait_for_storage(study: optuna.Study, patience_s: float) -> bool:
    """Waits until the study's database accepts a write; returns whether it did in time."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        time.sleep(1.0)
        try:
            study.set_user_attr(PROBE_ATTR, datetime.now(UTC).isoformat())
            return True
        except TROUBLE:
            continue
    return False


def open_study(
    spec: StudySpec,
    folder: Path,
    identity: Mapping[str, Any],
    start: Start | None = None,
    lessons: Sequence[Lesson] = (),
) -> optuna.Study:
    """The study `spec.study`: a new one, or the existing one in the storage.

    The configurations of `first` are queued, except those that it has already.

    Args:
        spec: the request; for an existing study from `with_stored_defaults`.
        folder: the study's folder, created if needed. SQLite is here unless `search.storage` is given.
        identity: from `identity_of`, of the same request.
        start: what a new study begins with; an existing one keeps its own.
        lessons: what a new study learns from earlier ones; an existing one keeps its own.

    Raises:
        StudyError: the study was made from another request (the message shows what differs), or the
            storage does not answer.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    make_folders(folder)
    storage = _open_storage(spec.search.storage, folder)
    direction = spec.metric.direction
    study = optuna.create_study(
        storage=storage, study_name=spec.study, direction=direction, load_if_exists=True
    )
    stored = study.user_attrs.get(IDENTITY_ATTR)
    if stored is None:
        if study.get_trials(deepcopy=False, states=FINISHED):
            raise StudyError(
                f"study {spec.study!r}: the storage has one of this name that autoft did not make"
            )
        study.set_user_attr(ID_ATTR, uuid4().hex)
        study.set_user_attr(FORMAT_ATTR, {"format": FORMAT, "autoft": version("autoft")})
        write_defaults(study, spec.space)
        write_lessons(study, lessons)
        write_start(study, start)
        # Written last: a study that was killed before this is created again, maybe by another request.
        study.set_user_attr(IDENTITY_ATTR, dict(identity))
    else:
        _require_format(study)
        require_same(study, spec.space, identity)
        _require_same_scores(study, spec)
    queue_default(study)
    _queue_first(study, spec)
    return study


def study_id(study: optuna.Study) -> str:
    """32 hex digits that distinguish this study from another of the same name, elsewhere or created anew."""
    return str(study.user_attrs[ID_ATTR])


def find_study(name: str, folder: Path, storage: str | None = None) -> optuna.Study:
    """An existing study, for reading: a missing database is not created.

    Raises:
        MissingStudyError: there is none of this name.
        StudyError: the storage does not open.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    missing = MissingStudyError(
        f"study {name!r}: there is none in {folder if storage is None else 'search.storage'}"
    )
    if (not (folder / DATABASE).exists()) if storage is None else _would_be_made(storage):
        raise missing
    try:
        study = optuna.load_study(study_name=name, storage=_open_storage(storage, folder))
    except KeyError:
        raise missing from None
    if IDENTITY_ATTR not in study.user_attrs:
        raise missing
    _require_format(study)
    return study


def find_existing_study(spec: StudySpec, folder: Path) -> optuna.Study | None:
    """The study that a search of `spec` would continue; None if it would create one.

    Raises:
        StudyError: the storage does not open or answer, or holds it in a format that is not read.
    """
    try:
        with clear_storage_errors(spec.study):
            return find_study(spec.study, folder, spec.search.storage)
    except MissingStudyError:
        return None


def _require_format(study: optuna.Study) -> None:
    """A study of another version of autoft may mean something else by the same words."""
    made = study.user_attrs.get(FORMAT_ATTR, {"format": 1, "autoft": "0.1.0 or before"})
    if made["format"] not in READ:
        raise StudyError(
            f"study {study.study_name!r} was made by autoft {made['autoft']}, which stores studies in format "
            f"{made['format']}; this is autoft {version('autoft')}, with format {FORMAT}. Go on with that "
            "version, or give the new search another name (study: ...)"
        )


def _require_same_scores(study: optuna.Study, spec: StudySpec) -> None:
    task, objectives = RESCORED
    if study.user_attrs[FORMAT_ATTR]["format"] < 9 and spec.task == task and spec.objective in objectives:
        raise StudyError(
            f"study {spec.study!r} was made by an autoft that scored {spec.objective} at the threshold of "
            "micro F1. Now it is the one that is best for the objective, so new trials would not compare. "
            "Give the new search another name (study: ...)"
        )


def trials_left(study: optuna.Study, budget: Budget) -> int:
    """How many trials are left to run; 0 when the budget is met."""
    return max(0, budget.trials - len(study.get_trials(deepcopy=False, states=FINISHED)))


def leftovers(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that an interrupted session left RUNNING, by number. Call it while holding the lock."""
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def _queue_first(study: optuna.Study, spec: StudySpec) -> None:
    searched = {parameter.name for parameter in spec.space.parameters}
    for params in spec.first:
        study.enqueue_trial(
            {name: value for name, value in params.items() if name in searched},
            user_attrs={ORIGIN_ATTR: FIRST},
            skip_if_exists=True,
        )


def _open_storage(url: str | None, folder: Path) -> BaseStorage:
    """Opens the storage. SQLite waits for a lock instead of failing; a server's connections are checked."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)  # about what it does not know in the URL
            if url is None:
                sqlite = f"sqlite:///{folder / DATABASE}"
                return _with_tables(lambda: RDBStorage(sqlite, {"connect_args": {"timeout": 60}}))
            server = {"pool_pre_ping": True, "connect_args": connect_timeout(url, CONNECT_TIMEOUT_S)}
            return _with_tables(lambda: RDBStorage(url, server))
    except RuntimeError as error:  # what Optuna raises for tables that it does not know
        shown = str(folder / DATABASE) if url is None else _without_password(url)
        raise StudyError(
            f"search.storage: {shown} holds the tables of another program, or of another version of Optuna: "
            f"{error} Name a database of its own"
        ) from None
    except (ArgumentError, ImportError, SQLAlchemyError) as error:
        shown = str(folder / DATABASE) if url is None else _without_password(url)
        reason = str(getattr(error, "orig", None) or error).splitlines()[0].replace(url or shown, shown)
        raise StudyError(f"search.storage: {shown} does not open: {redact(reason)}") from None


def _with_tables(opened: Callable[[], BaseStorage]) -> BaseStorage:
    """Optuna makes each table that it does not see. Where another process made it first, it looks again."""
    until = time.monotonic() + CONNECT_TIMEOUT_S
    while True:
        try:
            return opened()
        except SQLAlchemyError as error:
            made = isinstance(error, IntegrityError) or "already exists" in str(error)
            if not made or time.monotonic() > until:
                raise
            time.sleep(0.05)


def _would_be_made(url: str) -> bool:
    """Whether opening would create an SQLite file. If that is impossible, opening it says best why."""
    file = sqlite_file(url)
    return file is not None and not file.exists() and os.access(file.parent, os.W_OK)


def _without_password(url: str) -> str:
    try:
        make_url(url)
    except ArgumentError:
        return "the given URL"  # it may be a secret as a whole
    return redact(url)
