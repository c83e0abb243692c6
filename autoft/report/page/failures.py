"""Why trials failed."""

from collections import defaultdict

from autoft.report import words
from autoft.report.page.blocks import Code, Part, Section, Table
from autoft.report.page.reported import Reported


def failures(reported: Reported) -> Section | None:
    """The reasons, the most frequent first, and the last traceback; None if no trial failed."""
    failed = [trial for trial in reported.trials if trial.state == "FAIL"]
    if not failed:
        return None
    by_reason: dict[str, list[str]] = defaultdict(list)
    for trial in failed:
        by_reason[trial.reason or "no reason known"].append(str(trial.number))
    rows = [
        (str(len(numbers)), reason, ", ".join(numbers))
        for reason, numbers in sorted(by_reason.items(), key=lambda each: -len(each[1]))
    ]
    table = Table("Failed trials by reason", ("count", "reason", "trials"), rows, (0,))
    last = next((trial for trial in reversed(failed) if trial.traceback), None)
    parts: list[Part] = [table]
    if last is not None:
        parts += [f"The traceback of trial {last.number}:", Code((last.traceback or "").rstrip())]
    return Section("Failures", f"{words.count(len(failed), 'trial')} failed", parts)
