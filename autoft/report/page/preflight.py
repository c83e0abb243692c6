"""What was found in the rows before the first trial."""

from autoft.report import words
from autoft.report.page.blocks import Section, Table
from autoft.report.page.reported import Reported


def preflight(reported: Reported) -> Section | None:
    """Each finding with its examples; None if nothing was found."""
    found = reported.info.findings
    if not found:
        return None
    rows = [
        (each.severity, each.rule, f"{each.said}. {each.fix}", "; ".join(each.examples)) for each in found
    ]
    table = Table("Found before the first trial", ("", "rule", "what is so", "examples"), rows)
    return Section("Rows", f"{words.count(len(found), 'finding')} before the first trial", [table])
