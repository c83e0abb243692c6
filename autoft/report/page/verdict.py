"""What the sealed test rows have said of the winner."""

from autoft.judge.on_test import times
from autoft.report import words
from autoft.report.page.blocks import Part, Section, Table
from autoft.report.page.breakdown import breakdown_parts
from autoft.report.page.reported import Reported
from autoft.study.tested import Contender, Tested


def verdict(reported: Reported) -> Section | None:
    """Winner, default and baselines on the test rows; None if they were not opened for this winner."""
    tested = reported.tested
    if tested is None:
        return None
    caption = f"On {words.count(tested.rows, 'test row')}; the interval is of the winner's lead"
    rows = [_row(each, tested) for each in tested.contenders]
    headings = ("", tested.metric, "standard error", "interval")
    parts: list[Part] = [tested.said, Table(caption, headings, rows, (1, 2))]
    parts += breakdown_parts(tested.breakdown, reported.info.task)
    opened = f"test rows opened for the {times(tested.opened)} time"
    return Section("Verdict on the sealed test", opened, parts)


def _row(each: Contender, tested: Tested) -> tuple[str, ...]:
    lead = "" if each.low is None or each.high is None else f"{each.low:+.4f} to {each.high:+.4f}"
    return each.name, words.score(each.metrics[tested.metric]), words.score(each.error), lead
