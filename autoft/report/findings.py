"""Prints what was found in the rows at the start of a search; `autoft check` shows the same."""

import logging
from collections.abc import Iterable

from rich.console import Console

from autoft.data.finding import Finding
from autoft.report.printing import say

_log = logging.getLogger(__name__)


def tell(findings: Iterable[Finding], console: Console) -> None:
    """Prints each, on the screen and in the log; what is more than a note as a warning.

    The log has no warnings of what the screen has said: from Python they would appear there too.
    """
    for finding in findings:
        note = finding.severity == "note"
        line = f"data: {finding}" if note else f"data: WARNING: {finding}"
        _log.info(line)
        say(console, line, "" if note else "yellow")
