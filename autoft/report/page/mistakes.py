"""What the winner takes for what, and the validation rows to look at."""

from sklearn.metrics import confusion_matrix

from autoft.judge.suspects import hardest
from autoft.report import words
from autoft.report.page.blocks import Part, Section, Table
from autoft.report.page.confusion import confusion_parts
from autoft.report.page.validation import SUSPECTS_FILE, Validation

SHOWN = 20
"""Rows in a table."""
LONGEST = 240
"""Characters of a text."""


def confusion(validation: Validation) -> Section:
    """How often each label is taken for which."""
    predicted = validation.probabilities.argmax(axis=1)
    counts = confusion_matrix(validation.labels, predicted, labels=range(len(validation.names)))
    wrong = int((predicted != validation.labels).sum())
    summary = f"{wrong:,} of {words.count(len(predicted), 'validation row')} answered differently"
    return Section("Confusion", summary, confusion_parts(validation.names, counts.tolist()))


def rows_to_look_at(validation: Validation) -> Section | None:
    """Rows that are likely mislabeled, and the hardest ones; None if the winner makes no mistake."""
    suspected, hard = validation.suspects, hardest(validation.probabilities, validation.labels)
    if not len(hard):
        return None
    headings = ("input", "labeled", "answered")
    parts: list[Part] = []
    if suspected:
        parts.append(
            "By confident learning (arXiv 1911.00068): the winner, which was not trained on these rows, is "
            "as sure of another label as in rows that have that one. The numbers are its probabilities. "
            "A weak winner suspects good labels too. "
            f"All of these rows are in {SUSPECTS_FILE} beside this page."
        )
        rows = [_row(validation, each.row, each.suggested) for each in suspected[:SHOWN]]
        parts.append(Table(_caption("Likely mislabeled", len(suspected)), headings, rows))
    known, answered = {each.row for each in suspected}, validation.probabilities.argmax(axis=1)
    besides = [int(row) for row in hard if row not in known]
    if besides:
        rows = [_row(validation, row, int(answered[row])) for row in besides[:SHOWN]]
        what = "Hardest besides" if suspected else "Hardest"
        parts.append(Table(_caption(what, len(besides)), headings, rows))
    return Section("Rows to look at", f"{len(suspected):,} likely mislabeled", parts)


def _caption(what: str, there: int) -> str:
    return f"{what}, the first {SHOWN} of {there:,}" if there > SHOWN else what


def _row(validation: Validation, row: int, instead: int) -> tuple[str, ...]:
    """The text, and either label with its probability."""
    text = " | ".join(validation.texts(row))
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    labels = (int(validation.labels[row]), instead)
    return shown, *(f"{validation.names[each]} {validation.probabilities[row, each]:.2f}" for each in labels)
