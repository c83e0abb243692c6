"""What was found in the rows, told to a person at the start of a search; `autoft check` tells the same."""

import logging
from collections.abc import Iterable

from rich.console import Console

from autoft.data.rows import Finding
from autoft.report.printing import say

_log = logging.getLogger(__name__)


def tell(findings: Iterable[Finding], console: Console) -> None:
    """Each as a warning, on the screen and in the log."""
    for finding in findings:
        _log.warning("data: %s", finding)
        say(console, f"data: WARNING: {finding}", "yellow")
