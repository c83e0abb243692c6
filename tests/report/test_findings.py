"""What was found in the rows, as it is told at the start of a search."""

import io
import logging

import pytest
from rich.console import Console

from autoft.data.finding import Finding
from autoft.report import findings


@pytest.mark.parametrize(
    ("severity", "line"),
    [("note", "data: 3 rows are cut. Raise it"), ("warning", "data: WARNING: 3 rows are cut. Raise it")],
)
def test_each_is_said_once_and_logged_below_a_warning_which_python_would_print_too(severity, line, caplog):
    caplog.set_level(logging.INFO)
    screen = io.StringIO()
    findings.tell(
        [Finding("cut", "3 rows are cut", "Raise it", severity=severity)], Console(file=screen, width=200)
    )
    assert screen.getvalue() == f"{line}\n"
    assert [(record.levelno, record.message) for record in caplog.records] == [(logging.INFO, line)]
