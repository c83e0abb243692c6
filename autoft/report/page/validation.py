"""What the winner answers to the validation rows, with their texts."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autoft.data.files import replacing
from autoft.data.overlap import texts_of
from autoft.data.prepare import ROWS_FILE, read_places, read_rows
from autoft.errors import DataError
from autoft.judge import answers
from autoft.report.page.reported import Reported
from autoft.spec.tasks import TASKS
from autoft.study.layout import CONFIRM, DATA
from autoft.tasks.breakdown import Breakdown
from autoft.tasks.find import find_task
from autoft.tasks.row_answers import RowAnswer, Suspect

SUSPECTS_FILE = "suspects.csv"
"""Beside the page."""


@dataclass(frozen=True)
class Validation:
    """The rows in their order."""

    task: str
    """By name."""
    rows: pa.Table
    """Of rows.arrow [n]."""
    answers: Sequence[RowAnswer]
    """[n]."""
    suspects: Sequence[Suspect]
    breakdown: Breakdown

    @cached_property
    def wrong(self) -> np.ndarray:
        """How wrong each answer is, [n]."""
        return np.array([each.wrong for each in self.answers])

    def texts(self, row: int) -> tuple[str, ...]:
        """The inputs of one row, as a person reads them."""
        return texts_of(self.rows.slice(row, 1))[0]


def validation_of(reported: Reported) -> Validation | None:
    """Of the model with the winner's score; None where its answers are not kept, or are not finite."""
    if reported.confirmed is not None:
        path = answers.path_of(reported.folder / CONFIRM, "replica", reported.confirmed.replica)
    elif reported.winner is not None:
        path = answers.path_of(reported.folder, "trial", reported.winner.number)
    else:
        return None
    found = answers.load(path)
    if found is None or reported.info.task not in TASKS:  # of a package that is not installed here
        return None
    try:
        rows = read_rows(reported.folder / DATA / ROWS_FILE)
    except DataError:  # the study was moved without its rows
        return None
    validation = rows.filter(pc.equal(rows["split"], "validation"))
    task, targets = find_task(reported.info.task), reported.info.data["targets"]
    given = found.targets
    answered = task.decide(found.predictions, (found.predictions, given), reported.info.objective)
    in_words = task.row_answers(answered, given, targets, validation)
    if len(validation) != len(in_words):
        return None
    return Validation(
        reported.info.task,
        validation,
        in_words,
        task.suspects(answered, given, targets),
        task.breakdown(answered, given, targets),
    )


def write_suspects(reported: Reported, validation: Validation) -> None:
    """Writes SUSPECTS_FILE: a line for each row whose label is likely wrong, the clearest first.

    It begins with where the row stands; an empty cell where the study does not know.
    """
    data = reported.info.data
    places = read_places(reported.folder / DATA, "validation", validation.rows)
    with (
        replacing(reported.folder / SUSPECTS_FILE) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        lines = csv.writer(file)
        told = ["suggested", "probability", "suggested_probability"]
        lines.writerow(["row", *data["inputs"], data["target"], *told])
        for each in validation.suspects:
            shares = [f"{share:.4f}" for share in (each.given_share, each.suggested_share)]
            answer = [each.given, each.suggested, *shares]
            lines.writerow([places[each.row], *validation.texts(each.row), *answer])
