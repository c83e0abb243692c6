"""A registered version against the champion: both as they stand in the registry, on rows new to both."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from autoft.answering import answers_of, label_names
from autoft.data.overlap import row_digests
from autoft.data.rows import listed
from autoft.data.targets import Targets
from autoft.errors import TrackingError
from autoft.kernel.memory import is_out_of_memory
from autoft.kernel.paired import MIN_ROWS, PairedDifference, paired_difference
from autoft.tasks.find import find_task
from autoft.tracking.loading import Training, load_version, read_training
from autoft.tracking.registry import Registered
from autoft.tracking.retrieval import MissingVersionError
from autoft.tracking.saving import FineTuned

_INPUTS = {1: "one input", 2: "a pair of inputs"}


class NotComparableError(Exception):
    """Why a version cannot be compared with the champion: a clause."""

    def __init__(self, why: str, *, for_good: bool = True) -> None:
        super().__init__(why)
        self.for_good = for_good
        """False where another try may go better."""


def compare_with_champion(
    uri: str | None,
    version: Registered,
    champion: int,
    metric: str,
    rows: pa.Table,
    targets: Targets,
    say: Callable[[str], None],
    before: Callable[[], FineTuned] | None = None,
) -> PairedDifference:
    """How much better the version is than the champion, on those of the rows that neither was trained on.

    A version that was trained again on the validation rows too is compared as it was before.

    Args:
        uri: of the tracking store.
        version: the new one.
        champion: another version of the same registered model.
        metric: the study's objective.
        rows: validation or test rows of the study that made `version` (columns of rows.arrow).
        targets: what that study has learned of the target column.
        say: told before the two are asked, which takes as long as two evaluations of a trial.
        before: if the version was trained again, the model of the training before.

    Raises:
        NotComparableError: the two do not answer the same question, or too few rows are new to both.
        TrackingError: the version cannot be read.
    """
    ours = read_training(uri, version.name, version.version)
    with _readable(champion):
        theirs = read_training(uri, version.name, champion)
    ours, theirs = _of_one_kind(ours, theirs, champion)
    instead = before() if before is not None else None
    if instead is not None:
        ours = replace(ours, rows=instead.trained_rows)
    task = find_task(ours.task)
    fresh = _new_to_both(rows, ours, theirs)
    say(
        f"comparing version {version.version} of {version.name} with version {champion}, the champion, "
        f"on {len(fresh):,} rows"
    )
    try:
        with _readable(champion):
            other = load_version(uri, version.name, champion)
        _require_labels(other, label_names(task, targets), champion)
        there = answers_of(task, other, fresh, targets, theirs.values)
        del other  # one at a time in the device's memory
        mine = instead or load_version(uri, version.name, version.version)
        here = answers_of(task, mine, fresh, targets, ours.values)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise NotComparableError(
            "there is too little memory to ask the two models", for_good=False
        ) from error
    return paired_difference(task, metric, here, there, targets)


@contextmanager
def _readable(champion: int) -> Iterator[None]:
    """A champion that is gone or damaged must not end a search."""
    try:
        yield
    except (MissingVersionError, TrackingError) as error:
        reason = str(error).rstrip(".")
        raise NotComparableError(
            f"version {champion}, the champion, cannot be read: {reason}", for_good=False
        ) from error


def _of_one_kind(ours: Training | None, theirs: Training | None, champion: int) -> tuple[Training, Training]:
    """Both, where they say what they were trained on, and answer questions of the same form."""
    if ours is None:
        raise NotComparableError("it does not say which rows it was trained on: an earlier autoft made it")
    if theirs is None:
        raise NotComparableError(
            f"version {champion}, the champion, does not say which rows it was trained on: autoft did not "
            "make it, or an earlier version of autoft did"
        )
    if theirs.task != ours.task:
        raise NotComparableError(
            f"version {champion}, the champion, is for {theirs.task}, and this one for {ours.task}"
        )
    if theirs.inputs != ours.inputs:
        raise NotComparableError(
            f"version {champion}, the champion, takes {_INPUTS[theirs.inputs]}, and this one takes "
            f"{_INPUTS[ours.inputs]}"
        )
    return ours, theirs


def _new_to_both(rows: pa.Table, ours: Training, theirs: Training) -> pa.Table:
    """The rows that neither was trained on."""
    seen = np.isin(row_digests(rows), np.concatenate([ours.rows, theirs.rows]))
    fresh = rows.filter(pa.array(~seen))
    if len(fresh) < MIN_ROWS:
        raise NotComparableError(
            f"only {len(fresh):,} of the {len(rows):,} {rows['split'][0]} rows are new to both this version "
            f"and the champion, and fewer than {MIN_ROWS} tell nothing"
        )
    return fresh


def _require_labels(pipeline: Any, labels: Sequence[str], champion: int) -> None:
    """The champion answers with the study's labels, in whatever order."""
    if not labels:
        return
    theirs = list(pipeline.model.config.label2id)
    lacks, has = (
        [label for label in one if label not in other] for one, other in ((labels, theirs), (theirs, labels))
    )
    if lacks or has:
        apart = [
            f"{what} {listed(names, '`')}"
            for what, names in (("it lacks", lacks), ("it alone has", has))
            if names
        ]
        raise NotComparableError(f"version {champion}, the champion, has other labels: {' and '.join(apart)}")
