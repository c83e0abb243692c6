"""Where a command prints: a terminal, or a file or pipe in its place."""

import os

from rich.console import Console

WIDE = 10_000
"""Characters; more than any table has."""


def screen() -> Console:
    """As wide as the terminal; in a file or a pipe as wide as need be, for there nobody can widen it.

    Rich would take 80 columns there, and cut what does not fit. COLUMNS is heeded, as everywhere.
    """
    console = Console()
    if not console.is_terminal and not console.is_jupyter and "COLUMNS" not in os.environ:
        console.width = WIDE
    return console
