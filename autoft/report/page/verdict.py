"""What the sealed test rows have said of the winner."""

from autoft.report import words
from autoft.report.page.blocks import Part, Section, Table
from autoft.report.page.confusion import confusion_parts
from autoft.report.page.reported import Reported
from autoft.study.tested import Contender, Tested
from autoft.tasks.breakdown import Calibration


def verdict(reported: Reported) -> Section | None:
    """Winner, default and baselines on the test rows; None if they were not opened for this winner."""
    tested = reported.tested
    if tested is None:
        return None
    caption = f"On {words.count(tested.rows, 'test row')}; the interval is of the winner's lead"
    rows = [_row(each, tested) for each in tested.contenders]
    headings = ("", tested.metric, "standard error", "interval")
    parts: list[Part] = [tested.said, Table(caption, headings, rows, (1, 2))]
    breakdown = tested.breakdown
    if breakdown.by_label:
        parts.append(_by_label(tested))
    if breakdown.confusion is not None:
        parts += confusion_parts(list(breakdown.by_label), breakdown.confusion)
    if breakdown.calibration is not None:
        parts += _reliability(breakdown.calibration)
    opened = words.count(tested.opened, "time")
    return Section("Verdict on the sealed test", f"test rows opened {opened} so far", parts)


def _row(each: Contender, tested: Tested) -> tuple[str, ...]:
    lead = "" if each.low is None or each.high is None else f"{each.low:+.4f} to {each.high:+.4f}"
    return each.name, words.score(each.metrics[tested.metric]), words.score(each.error), lead


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


def _by_label(tested: Tested) -> Table:
    names = ("precision", "recall", "f1")
    rows = [
        (label, *(words.score(of[name]) for name in names), f"{of['support']:,.0f}")
        for label, of in tested.breakdown.by_label.items()
    ]
    return Table("The winner by label", ("label", *names, "rows"), rows, range(1, 5))
