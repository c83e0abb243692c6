"""Where the winner is wrong on the validation rows, and the rows to look at."""

import numpy as np

from autoft.report import words
from autoft.report.page.blocks import Part, Section, Table
from autoft.report.page.breakdown import breakdown_parts
from autoft.report.page.validation import SUSPECTS_FILE, Validation

SHOWN = 20
"""Rows in a table."""
LONGEST = 240
"""Characters of a text."""


def right_and_wrong(validation: Validation) -> Section | None:
    """How often each label is taken for which; None of a task that has nothing of the kind."""
    parts = breakdown_parts(validation.breakdown, validation.task)
    if not parts:
        return None
    wrong, rows = int((validation.wrong > 0).sum()), words.count(len(validation.wrong), "validation row")
    some = wrong < len(validation.wrong)  # all of them say nothing of a number, which is never quite right
    return Section("Right and wrong", f"{wrong:,} of {rows} answered differently" if some else rows, parts)


def rows_to_look_at(validation: Validation) -> Section | None:
    """Rows that are likely mislabeled, and the hardest ones; None if the winner makes no mistake."""
    suspected, known = validation.suspects, {each.row for each in validation.suspects}
    hardest = np.argsort(-validation.wrong, kind="stable")
    besides = [int(row) for row in hardest if validation.wrong[row] > 0 and row not in known]
    if not known and not besides:
        return None
    parts: list[Part] = []
    if suspected:
        parts.append(
            "By confident learning (arXiv 1911.00068): the winner, which was not trained on these rows, is "
            "as sure of another label as in rows that have that one. The numbers are its probabilities. "
            "A weak winner suspects good labels too. "
            f"All of these rows are in {SUSPECTS_FILE} beside this page."
        )
        rows = [
            (
                _text(validation, each.row),
                f"{each.given} {each.given_share:.2f}",
                f"{each.suggested} {each.suggested_share:.2f}",
            )
            for each in suspected[:SHOWN]
        ]
        headings = ("input", "labeled", "suggested")
        parts.append(Table(_caption("Likely mislabeled", len(suspected)), headings, rows))
    if besides:
        shown = [(_text(validation, row), validation.answers[row]) for row in besides[:SHOWN]]
        rows = [(text, _cut(each.given), _cut(each.answered)) for text, each in shown]
        what = "Hardest besides" if suspected else "Hardest"
        parts.append(Table(_caption(what, len(besides)), ("input", "given", "answered"), rows))
    summary = f"{len(suspected):,} suspected of a wrong label" if suspected else "the hardest ones"
    return Section("Rows to look at", summary, parts)


def _caption(what: str, there: int) -> str:
    return f"{what}, the first {SHOWN} of {there:,}" if there > SHOWN else what


def _text(validation: Validation, row: int) -> str:
    return _cut(" | ".join(validation.texts(row)))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
