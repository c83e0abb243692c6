"""What texts have in common however they are written, and labels that a person would take for one."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from autoft.data.rows import listed

_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that show nothing; what else shows nothing has a category of its own."""
_TO_LATIN = str.maketrans(
    "АВЕЅІЈКМНОРСТУХԀԌԚԜаеѕіјоӏрсухѵһԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧαικορυνϲϳ",
    "ABESIJKMHOPCTYXdGQWaesijolpcyxvhdqwABEZHIKMNOPTYXaikopuvcj",
)
"""Cyrillic and Greek letters that have the shape of a Latin one, after Unicode's confusables (UTS #39)."""


@dataclass(frozen=True)
class LookAlikeLabels:
    """Labels that are separate classes but differ only in what `_looks` leaves out."""

    column: str
    groups: tuple[Mapping[str, int], ...]
    """Each the labels of a group with their rows in all splits, the most frequent first."""

    def __str__(self) -> str:
        spelled = {label: _spelled(label, group) for group in self.groups for label in group}
        groups = "; ".join(
            " and ".join(f"{spelled[label]} ({rows:,})" for label, rows in group.items())
            for group in self.groups
        )
        merged = {label: next(iter(group)) for group in self.groups for label in list(group)[1:]}
        pairs = ", ".join(f"{spelled[old]}: {spelled[new]}" for old, new in merged.items())
        return (
            f"column `{self.column}`: labels that differ only in {_WHAT} are separate classes (with their "
            f"rows): {groups}. If they mean the same, write them the same; with pandas: "
            f'frame["{self.column}"].replace({{{pairs}}})'
        )


_WHAT = "case, white space, invisible characters, Unicode form or letters of another alphabet"


def look_alikes(column: str, counts: Mapping[str, int]) -> LookAlikeLabels | None:
    """The labels of `counts` (rows by label) that look alike; None where all differ to the eye."""
    groups: dict[str, dict[str, int]] = {}
    for label in sorted(counts, key=lambda label: (-counts[label], _has_unseen(label), label)):
        looks = _looks(label)
        group = next((groups[look] for look in looks if look in groups), {})
        group[label] = counts[label]
        groups.update(dict.fromkeys(looks, group))
    alike = tuple({id(group): group for group in groups.values() if len(group) > 1}.values())
    return LookAlikeLabels(column, alike) if alike else None


def likeness_hint(names: Iterable[str], known: Iterable[str]) -> str:
    """Which of the `known` labels the unknown `names` look like, as the end of an error; "" for none."""
    by_look = {look: label for label in known for look in _looks(label)}
    pairs = [
        f"{name!a} is {by_look[look]!a}"
        for name in names
        if (look := next((look for look in _looks(name) if look in by_look), None)) is not None
    ]
    return f"; {listed(pairs)} but for {_WHAT}" if pairs else ""


def normalized(text: str) -> str:
    """`text` without what two copies of it may differ in: case, white space, invisible characters and forms
    of characters.

    >>> normalized("  Fine   CAFE\u0301 \u200b")
    'fine café'
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join("".join(character for character in folded if not _is_invisible(character)).split())


def _looks(label: str) -> tuple[str, str]:
    """Two labels are alike if they have one of these in common; the second is all in Latin letters."""
    return normalized(label), normalized(_in_latin(label))


def _in_latin(label: str) -> str:
    return unicodedata.normalize("NFD", label).translate(_TO_LATIN)


def _is_invisible(character: str) -> bool:
    """Controls and formats such as the zero-width space, and variation selectors; no white space."""
    hidden = unicodedata.category(character) in ("Cc", "Cf") or character in _BLANK
    return (hidden or "\ufe00" <= character <= "\ufe0f") and not character.isspace()


def _has_unseen(label: str) -> bool:
    return unicodedata.normalize("NFKC", label) != label or any(map(_is_invisible, label))


def _spelled(label: str, group: Iterable[str]) -> str:
    """In quotes; with escapes where it holds what an eye cannot tell from the others of its group."""
    alphabets = len({normalized(each) for each in group}) > 1
    foreign = alphabets and normalized(_in_latin(label)) != normalized(label)
    return ascii(label) if foreign or _has_unseen(label) else repr(label)
