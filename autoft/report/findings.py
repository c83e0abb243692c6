"""Prints what was found in the rows at the start of a search; `autoft check` shows the same."""

import logging
from collections.abc import Iterable

from rich.console import Console

from autoft.data.finding import Finding
from autoft.report.printing import say

_log = logging.getLogger(__name__)


def tell(findings: Iterable[Finding], console: Console) -> None:
    """Prints each, on the screen and in the log; what is more than a note as a warning."""
    for finding in findings:
        if finding.severity == "note":
            _log.info("data: %s", finding)
            say(console, f"data: {finding}")
        else:
            _log.warning("data: %s", finding)
            say(console, f"data: WARNING: {finding}", "yellow")
