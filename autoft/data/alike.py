"""What texts have in common however they are written, and labels that a person would take for one."""

import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that show nothing; what else shows nothing has a category of its own."""


@dataclass(frozen=True)
class LookAlikeLabels:
    """Labels that are separate classes but differ only in what `normalized` leaves out."""

    column: str
    groups: tuple[Mapping[str, int], ...]
    """Each the labels of a group with their rows in all splits, the most frequent first."""

    def __str__(self) -> str:
        groups = "; ".join(
            " and ".join(f"{_spelled(label)} ({rows:,})" for label, rows in group.items())
            for group in self.groups
        )
        merged = {label: next(iter(group)) for group in self.groups for label in list(group)[1:]}
        pairs = ", ".join(f"{_spelled(old)}: {_spelled(new)}" for old, new in merged.items())
        return (
            f"column `{self.column}`: labels that differ only in case, white space, invisible characters or "
            f"Unicode form are separate classes (with their rows): {groups}. If they mean the same, write "
            f'them the same; with pandas: frame["{self.column}"].replace({{{pairs}}})'
        )


def look_alikes(column: str, counts: Mapping[str, int]) -> LookAlikeLabels | None:
    """The labels of `counts` (rows by label) that look alike; None where all differ to the eye."""
    groups: dict[str, dict[str, int]] = defaultdict(dict)
    for label in sorted(counts, key=lambda label: (-counts[label], _has_unseen(label), label)):
        groups[normalized(label)][label] = counts[label]
    alike = tuple(group for group in groups.values() if len(group) > 1)
    return LookAlikeLabels(column, alike) if alike else None


def normalized(text: str) -> str:
    """`text` without what two copies of it may differ in: case, white space, invisible characters and forms
    of characters.

    >>> normalized("  Fine   CAFE\u0301 \u200b")
    'fine café'
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join("".join(character for character in folded if not _is_invisible(character)).split())


def _is_invisible(character: str) -> bool:
    """Controls and formats such as the zero-width space, and variation selectors; no white space."""
    hidden = unicodedata.category(character) in ("Cc", "Cf") or character in _BLANK
    return (hidden or "\ufe00" <= character <= "\ufe0f") and not character.isspace()


def _has_unseen(label: str) -> bool:
    return unicodedata.normalize("NFKC", label) != label or any(map(_is_invisible, label))


def _spelled(label: str) -> str:
    """In quotes; with escapes where it holds what an eye cannot see."""
    return ascii(label) if _has_unseen(label) else repr(label)
