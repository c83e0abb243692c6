"""What the winner takes for what, and the validation rows to look at."""

from sklearn.metrics import confusion_matrix

from autoft.judge.suspects import hardest
from autoft.report import words
from autoft.report.page.blocks import Matrix, Part, Section, Table
from autoft.report.page.validation import SUSPECTS_FILE, Validation

MOST_LABELS = 20
"""Of more labels only the pairs that are confused are shown."""
SHOWN = 20
"""Rows and pairs in a table."""
LONGEST = 240
"""Characters of a text."""


def confusion(validation: Validation) -> Section:
    """How often each label is taken for which."""
    numbers = range(len(validation.names))
    predicted = validation.probabilities.argmax(axis=1)
    counts = confusion_matrix(validation.labels, predicted, labels=list(numbers))
    pairs = [(int(counts[i, j]), i, j) for i in numbers for j in numbers if i != j and counts[i, j]]
    rows = [
        (str(count), validation.names[given], validation.names[taken])
        for count, given, taken in sorted(pairs, key=lambda each: (-each[0], each[1], each[2]))[:SHOWN]
    ]
    parts: list[Part] = []
    if len(validation.names) <= MOST_LABELS:
        parts.append(Matrix("Given labels, by what the winner says", validation.names, counts.tolist()))
    if rows:
        parts.append(Table("Most often confused", ("rows", "labeled", "answered"), rows, (0,)))
    wrong = int((predicted != validation.labels).sum())
    summary = f"{wrong:,} of {words.count(len(predicted), 'validation row')} answered differently"
    return Section("Confusion", summary, parts)


def rows_to_look_at(validation: Validation) -> Section | None:
    """Rows that are likely mislabeled, and the hardest ones; None if the winner makes no mistake."""
    suspected, hard = validation.suspects, hardest(validation.probabilities, validation.labels)
    if not len(hard):
        return None
    headings = ("text", "labeled", "answered")
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
