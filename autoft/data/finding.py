"""What was found in the rows before the first trial: the one form of it, for screen, study and report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
"""An error is refused by a search, a warning should be known before a night, a note says what was done."""


@dataclass(frozen=True)
class Finding:
    """Something about the rows, in words by `str`."""

    rule: str
    """Which check found it: `copies`, `near copies`, `groups`, `readable target`, ..."""
    said: str
    """What is so, with its counts."""
    fix: str
    """What it means, and what to do about it."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """The numbers of `said`, by what they count."""
    examples: tuple[str, ...] = ()
    """A few; of test rows no more than what makes them the same as others."""
    severity: Severity = "warning"

    def __str__(self) -> str:
        examples = f" ({'; '.join(self.examples)})" if self.examples else ""
        return f"{self.said}{examples}. {self.fix}"

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> "Finding":
        """Of what `dataclasses.asdict` gives."""
        return Finding(**{**stored, "examples": tuple(stored["examples"])})
