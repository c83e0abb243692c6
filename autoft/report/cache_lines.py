"""Prints what a study keeps at its boundaries."""

import logging

from rich.console import Console

from autoft.kernel.boundary.plan import Boundary, CachePlan
from autoft.report import words
from autoft.report.printing import say
from autoft.spec.size import size_text

_log = logging.getLogger(__name__)


def headline(plan: CachePlan) -> str:
    """How much is kept: `24.8 MB of hidden states, computed once`."""
    if not plan.boundaries:
        return "no hidden states are kept"
    return f"{size_text(plan.bytes)} of hidden states, computed once"


def kept(boundary: Boundary) -> str:
    """One boundary: `24.8 MB, whole rows, after block 2`."""
    what = {"ragged": "whole rows", "fixed": "whole rows", "mean": "the mean of a row"}.get(
        boundary.layout, f"the {boundary.layout} token of a row"
    )
    encoder = "" if boundary.encoder is None else f", and after block {boundary.encoder}, the encoder's last"
    return f"{size_text(boundary.bytes)}, {what}, after block {boundary.boundary}{encoder}"


def tell(plan: CachePlan, console: Console) -> None:
    """Says at the start of a session what is kept: one line on the screen, all details in the log.

    If stored states changed a result, which should not happen, both show a warning.
    """
    boundaries = f" at {words.count(len(plan.boundaries), 'boundary')}" if plan.boundaries else ""
    _log.info("cache: %s", headline(plan))
    for each in plan.boundaries:
        at = "" if each.max_length is None else f", max_length {each.max_length}"
        _log.info("cache: %s%s: %s", each.model, at, kept(each))
    for note in plan.notes:
        _log.info("cache: %s", note)
    line = "; ".join([f"cache: {headline(plan)}{boundaries}", *plan.notes])
    say(console, line, "dim")
    for warning in plan.warnings:
        _log.info("cache: WARNING: %s", warning)  # a warning would appear on the screen of Python too
        say(console, f"cache: WARNING: {warning}", "yellow")
