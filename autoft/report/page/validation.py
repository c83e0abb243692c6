"""What the winner answers to the validation rows, with their texts: of tasks with one label a row."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autoft.data.files import replacing
from autoft.data.overlap import texts_of
from autoft.data.prepare import ROWS_FILE, read_rows
from autoft.errors import DataError
from autoft.judge import answers
from autoft.judge.suspects import Suspect, suspects
from autoft.report.page.reported import Reported
from autoft.spec.tasks import TASKS
from autoft.study.layout import CONFIRM, DATA
from autoft.tasks.find import find_task

SUSPECTS_FILE = "suspects.csv"
"""Beside the page."""


@dataclass(frozen=True)
class Validation:
    """The rows in their order."""

    names: Sequence[str]
    """Of the labels."""
    probabilities: np.ndarray
    """[n, labels]."""
    labels: np.ndarray
    """The given ones [n]."""
    rows: pa.Table
    """Of rows.arrow."""

    @cached_property
    def suspects(self) -> list[Suspect]:
        """The rows whose label is likely wrong."""
        return suspects(self.probabilities, self.labels)

    def texts(self, row: int) -> tuple[str, ...]:
        """The inputs of one row, as a person reads them."""
        return texts_of(self.rows.slice(row, 1))[0]


def validation_of(reported: Reported) -> Validation | None:
    """Of the model with the winner's score.

    None where its answers are not kept, or the task does not have one label a row (`Task.one_label`).
    """
    if reported.confirmed is not None:
        path = answers.path_of(reported.folder / CONFIRM, "replica", reported.confirmed.replica)
    elif reported.winner is not None:
        path = answers.path_of(reported.folder, "trial", reported.winner.number)
    else:
        return None
    found = answers.load(path)
    if found is None or reported.info.task not in TASKS:  # of a package that is not installed here
        return None
    answered = find_task(reported.info.task).one_label(found.predictions, found.targets)
    if answered is None:
        return None
    probabilities, labels = answered
    try:
        rows = read_rows(reported.folder / DATA / ROWS_FILE)
    except DataError:  # the study was moved without its rows
        return None
    validation = rows.filter(pc.equal(rows["split"], "validation"))
    if len(validation) != len(labels):
        return None
    names = reported.info.data["targets"]["labels"]
    return Validation(names, probabilities, labels, validation)


def write_suspects(reported: Reported, validation: Validation) -> None:
    """Writes SUSPECTS_FILE: a line for each row whose label is likely wrong, the clearest first."""
    data = reported.info.data
    with (
        replacing(reported.folder / SUSPECTS_FILE) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        lines = csv.writer(file)
        lines.writerow([*data["inputs"], data["target"], "suggested", "probability", "suggested_probability"])
        for each in validation.suspects:
            shares = [f"{share:.4f}" for share in (each.given_share, each.suggested_share)]
            of = [validation.names[label] for label in (each.given, each.suggested)]
            lines.writerow([*validation.texts(each.row), *of, *shares])
