"""Prints what was found in the rows at the start of a search; `autoft check` shows the same."""

import logging
from collections.abc import Iterable

from rich.console import Console

from autoft.data.rows import Finding
from autoft.report.printing import say

_log = logging.getLogger(__name__)


def tell(findings: Iterable[Finding], console: Console) -> None:
    """Prints each as a warning, on the screen and in the log."""
    for finding in findings:
        _log.warning("data: %s", finding)
        say(console, f"data: WARNING: {finding}", "yellow")
