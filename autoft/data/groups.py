"""Groups of rows that belong together, such as those of one customer, and lie in more than one split."""

import re
from collections.abc import Mapping, Sequence

from autoft.data.finding import Finding, Severity
from autoft.data.rows import EXAMPLES, Cell, RawSplit, quoted

RULE = "groups"
_NAMED = "user|customer|client|patient|person|speaker|author|session|conversation|thread|dialog|dialogue"
_NUMBERED = (
    f"{_NAMED}|group|subject|account|company|household|document|doc|article|case|visit|order|ticket|premise"
    "|question|passage|context"
)
_GROUP_NAME = re.compile(rf"(.*_)?(({_NAMED}|group)|({_NUMBERED})(_?(id|no|nr|number|key|hash|uuid)))")
_SENTENCE, _MANY = 20, 0.1
"""Characters of a text of a pair, and the share of held-out rows from which on it is told."""
_FEWEST = 10
"""Values of a column: one with fewer is a category rather than a group."""


def looks_like_a_group(column: str) -> bool:
    """Whether a column's name says that rows with one value of it belong together.

    >>> [name for name in ("customer_id", "PatientID", "thread", "id", "text", "subject")
    ...  if looks_like_a_group(name)]
    ['customer_id', 'PatientID', 'thread']
    """
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\s\-.]+", "_", column.strip())
    return _GROUP_NAME.fullmatch(snake.casefold()) is not None


def crossing_values(splits: Mapping[str, RawSplit], column: str) -> dict[Cell, tuple[str, ...]]:
    """The values of `column` that are in more than one split, and in which, in order; no empty cells."""
    homes: dict[Cell, dict[str, None]] = {}
    for name, split in splits.items():
        for value in split.columns[column]:
            homes.setdefault(value, {})[name] = None
    return {value: tuple(home) for value, home in homes.items() if value is not None and len(home) > 1}


def crossing_groups(
    splits: Mapping[str, RawSplit], column: str, severity: Severity, fix: str
) -> list[Finding]:
    """A finding where groups of `column` lie in more than one split."""
    crossing = crossing_values(splits, column)
    if not crossing:
        return []
    some = [f"{quoted([value])} in {' and '.join(home)}" for value, home in list(crossing.items())[:EXAMPLES]]
    n = len(crossing)
    lie = "1 group of column `{}` lies" if n == 1 else f"{n:,} groups of column `{{}}` lie"
    return [
        Finding(
            rule=RULE,
            said=f"{lie.format(column)} in more than one split",
            fix=f"A score on groups that were seen before says little of new ones: {fix}",
            counts={"groups": n},
            examples=tuple(some),
            severity=severity,
        )
    ]


def unnamed_groups(splits: Mapping[str, RawSplit], inputs: Sequence[str], target: str) -> list[Finding]:
    """Columns that the user has not named as groups but that look like them, with values in several splits.

    They are those with such a name (`looks_like_a_group`), which are read for this alone, and of a pair a
    text that comes with several others, as the premise of many hypotheses.
    """
    shared = set.intersection(*(set(split.columns) for split in splits.values()))
    others = [name for name in splits["train"].columns if name in shared - {*inputs, target}]
    texts = [name for name in inputs if len(inputs) > 1 and _repeats(splits, name)]
    return [
        finding
        for column in (*others, *texts)
        if len({value for split in splits.values() for value in split.columns[column]}) >= _FEWEST
        for finding in crossing_groups(
            splits,
            column,
            "warning",
            f"where rows of one `{column}` are alike, keep them in one split; where autoft draws the splits, "
            f"with data.split.group: {column}",
        )
    ]


def _repeats(splits: Mapping[str, RawSplit], column: str) -> bool:
    """Whether whole texts, no categories, of many held-out rows are in another split too."""
    crossing = crossing_values(splits, column)
    held_out = [value for name, split in splits.items() if name != "train" for value in split.columns[column]]
    sentences = [value for value in held_out if value in crossing and len(value or ()) >= _SENTENCE]
    return len(sentences) >= _MANY * len(held_out)
