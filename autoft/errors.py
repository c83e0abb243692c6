"""Errors that the user can fix, with one class for each kind of thing to fix.

Every message says the rule, the value and what to do. The command line prints it without a
traceback and exits with 1; anything that is not an `AutoftError` is a bug in autoft.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class AutoftError(Exception):
    """Base of every error that the user can fix."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in a space.yaml."""

    line: int
    """1-based line in the file; 0 if there is no line (a dict, an override)."""
    path: str
    """Dotted place in the document, such as `space.learning_rate`."""
    rule: str
    """The rule that is broken and the value that breaks it."""
    source: str = "space"
    """The file's name, or `-o` for an override."""

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}" if self.line else self.source
        return f"{place}: {self.path}: {self.rule}" if self.path else f"{place}: {self.rule}"


class SpecError(AutoftError):
    """The request itself is wrong. Carries all problems of the file, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class DataError(AutoftError):
    """The data cannot be read, or do not fit what space.yaml says about them."""


class ModelError(AutoftError):
    """The pretrained model cannot be loaded, or cannot do what the space asks of it."""


class StudyError(AutoftError):
    """The study does not exist, has no winner yet, or was made from another request."""


class ResourceError(AutoftError):
    """The machine or the cluster cannot place what the request asks for."""


class TrackingError(AutoftError):
    """The tracking server or its artifact store does not accept what is written."""


class Interrupted(KeyboardInterrupt):
    """A search was stopped, and can be continued."""

    def __init__(self, said: str) -> None:
        """`said` is a sentence about what happened to the best model so far."""
        super().__init__(said)
        self.said = said
