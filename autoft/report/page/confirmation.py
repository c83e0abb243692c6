"""The configurations that were trained again on fresh seeds."""

from autoft.report import words
from autoft.report.page.blocks import Section, Table
from autoft.report.page.reported import Reported


def confirmation(reported: Reported) -> Section | None:
    """All that were compared, and the interval that decided; None if there was no confirmation."""
    confirmed = reported.confirmed
    if confirmed is None:
        return None
    rows = []
    for each in confirmed.compared:
        notes = ["chosen"] if each.trial == confirmed.chosen else []
        notes += ["the default"] if each.is_default else []
        scores = [words.score(of) for of in (each.mean, min(each.scores), max(each.scores))]
        rows.append(
            (
                str(each.trial),
                *scores,
                str(len(each.scores)),
                words.duration(each.training_s),
                ", ".join(notes),
            )
        )
    headings = ("trial", f"mean {confirmed.metric}", "lowest", "highest", "seeds", "training", "")
    table = Table(f"On {words.count(confirmed.rows, 'validation row')}", headings, rows, range(6))
    lead = confirmed.lead
    interval = (
        [
            f"Trial {confirmed.chosen} minus trial {lead.rival}, in expectation over seeds and rows: "
            f"{lead.difference:+.4f}, {100 * lead.level:.1f} % interval {lead.low:+.4f} to {lead.high:+.4f}."
        ]
        if lead is not None
        else []
    )
    seeds = words.count(sum(len(each.scores) for each in confirmed.compared), "fresh seed")
    summary = f"{words.count(len(confirmed.compared), 'configuration')}, {seeds}"
    return Section("Confirmation", summary, [confirmed.said, table, *interval])
