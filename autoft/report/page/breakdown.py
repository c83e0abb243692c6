"""Where a model is right and where not, as parts of a section: by label, what is confused, how sure it is."""

from collections.abc import Sequence

from autoft.report import words
from autoft.report.page.blocks import Matrix, Part, Table
from autoft.spec.tasks import TASKS
from autoft.tasks.breakdown import Breakdown, Calibration

MOST_LABELS = 20
"""Of more labels only the pairs that are confused are shown."""
SHOWN = 20
"""Pairs in the table."""
SUPPORT = "support"


def breakdown_parts(breakdown: Breakdown, task: str) -> list[Part]:
    """What there is of it; the task, by its name, says what is counted: labels, types of entities, ranges."""
    parts: list[Part] = []
    if breakdown.by_label:
        parts.append(_by_label(breakdown, TASKS[task].occurrence if task in TASKS else "label"))
    if breakdown.confusion is not None:
        parts += _confusion(list(breakdown.by_label), breakdown.confusion)
    if breakdown.calibration is not None:
        parts += _reliability(breakdown.calibration)
    return parts


def _by_label(breakdown: Breakdown, occurrence: str) -> Table:
    measures = [each for each in next(iter(breakdown.by_label.values())) if each != SUPPORT]
    rows = [
        (label, *(words.score(of[name]) for name in measures), f"{of[SUPPORT]:,.0f}")
        for label, of in breakdown.by_label.items()
    ]
    headings = (occurrence, *measures, SUPPORT)
    return Table(f"The winner by {occurrence}", headings, rows, range(1, len(headings)))


def _confusion(names: Sequence[str], counts: Sequence[Sequence[int]]) -> list[Part]:
    """The matrix, and the pairs that are confused, most often first; either only if it tells something.

    Args:
        names: of the labels.
        counts: [given label][answered label], rows.
    """
    numbers = range(len(names))
    pairs = [(counts[i][j], i, j) for i in numbers for j in numbers if i != j and counts[i][j]]
    rows = [
        (f"{count:,}", names[given], names[taken])
        for count, given, taken in sorted(pairs, key=lambda each: (-each[0], each[1], each[2]))[:SHOWN]
    ]
    parts: list[Part] = []
    if len(names) <= MOST_LABELS:
        parts.append(Matrix("Given labels, by what the winner says", names, counts))
    if rows:
        parts.append(Table("Most often confused", ("rows", "labeled", "answered"), rows, (0,)))
    return parts


def _reliability(calibration: Calibration) -> list[Part]:
    rows = [
        (f"{each['confidence']:.2f}", f"{each['right']:.2f}", f"{each['answers']:,.0f}")
        for each in calibration.bins
    ]
    return [
        f"Calibration: the winner's confidence and its share of right answers are "
        f"{100 * calibration.error:.1f} points apart in the mean (arXiv 1706.04599).",
        Table("Answers by confidence", ("confidence", "right", "answers"), rows, (0, 1, 2)),
    ]
