"""What should be known of the rows before the first trial, each by a rule of its own."""

from collections.abc import Sequence

from autoft.data.finding import Finding
from autoft.data.prepare import Rows
from autoft.errors import DataError
from autoft.judge.preflight.near import near_copies
from autoft.judge.preflight.readable import readable_targets
from autoft.judge.preflight.shares import far_shares
from autoft.judge.preflight.unmeasured import unmeasured
from autoft.spec.study import DataSpec, StudySpec
from autoft.spec.tasks import TASKS


def preflight(spec: StudySpec, rows: Rows) -> tuple[Finding, ...]:
    """What was found while the rows were read (`Rows.findings`), and what the other rules find in them.

    Which rows are cut depends on the models: see `kernel.cut`.
    """
    data, task = spec.data, TASKS[spec.task]
    return (
        *rows.findings,
        *(() if task.inputs == "file" else _of_texts(rows, data)),
        *far_shares(rows.counts, task.occurrence),
        *unmeasured(rows.counts, task.occurrence),
    )


def _of_texts(rows: Rows, data: DataSpec) -> list[Finding]:
    target = rows.tables["train"].schema.field("target").type
    return [
        *near_copies(rows.splits, data.inputs, data.target),
        *readable_targets(rows.splits["train"], data.inputs, data.target, target),
    ]


def require_no_errors(findings: Sequence[Finding]) -> None:
    """Raises DataError with all findings that a search refuses (`data.on_leak: error`)."""
    errors = [str(finding) for finding in findings if finding.severity == "error"]
    if errors:
        raise DataError("\n".join(errors))
