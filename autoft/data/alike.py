"""What cells have in common however they are written, and labels that a person would take for one."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import permutations

from autoft.data.finding import Finding
from autoft.data.rows import Cell, as_line, listed

_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that show nothing; what else shows nothing has a category of its own."""
_TO_LATIN = str.maketrans(
    "АВЕЅІЈКМНОРСТУХԀԌԚԜаеѕіјоӏрсухѵһԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧαικορυνϲϳ",
    "ABESIJKMHOPCTYXdGQWaesijolpcyxvhdqwABEZHIKMNOPTYXaikopuvcj",
)
"""Cyrillic and Greek letters that have the shape of a Latin one, after Unicode's confusables (UTS #39)."""


_WHAT = "case, white space, invisible characters, Unicode form or letters of another alphabet"


def alike_labels(column: str, counts: Mapping[str, int]) -> list[Finding]:
    """Labels of `counts` (rows by label) that look alike, and those that may be mistyped."""
    alike, mistyped = _look_alikes(counts), _mistyped(counts)
    found = []
    if alike:
        found.append(_finding(column, alike, f"labels that differ only in {_WHAT} are separate classes"))
    if mistyped:
        found.append(_finding(column, mistyped, "rare labels that are one letter from another are classes"))
    return found


def _finding(column: str, groups: Sequence[Mapping[str, int]], said: str) -> Finding:
    """Of groups of labels with their rows, the one first that the others are likely to mean."""
    spelled = {label: _spelled(label, group) for group in groups for label in group}
    merged = {label: next(iter(group)) for group in groups for label in list(group)[1:]}
    pairs = ", ".join(f"{spelled[old]}: {spelled[new]}" for old, new in merged.items())
    return Finding(
        rule="labels alike",
        said=f"column `{column}`: {said}",
        fix="If they mean the same, write them the same; with pandas: "
        f'frame["{column}"].replace({{{pairs}}})',
        counts={"labels": len(merged)},
        examples=tuple(
            " and ".join(f"{spelled[label]} in {_rows(n)}" for label, n in group.items()) for group in groups
        ),
    )


def _rows(n: int) -> str:
    return "1 row" if n == 1 else f"{n:,} rows"


def _look_alikes(counts: Mapping[str, int]) -> list[Mapping[str, int]]:
    """Groups of labels that look alike with their rows in all splits, the most frequent first."""
    groups: dict[str, dict[str, int]] = {}
    for label in sorted(counts, key=lambda label: (-counts[label], _has_unseen(label), label)):
        looks = _looks(label)
        group = next((groups[look] for look in looks if look in groups), {})
        group[label] = counts[label]
        groups.update(dict.fromkeys(looks, group))
    return list({id(group): group for group in groups.values() if len(group) > 1}.values())


_RARE = 0.1
"""A mistyped label has at most this share of the rows of the one that was meant: `typical` and `atypical` are
one letter apart as well."""
_SHORTEST_TYPED = 5
"""Characters; shorter names are often one letter apart."""


def _mistyped(counts: Mapping[str, int]) -> list[Mapping[str, int]]:
    """Pairs of a frequent label and a rare one that is a letter more, less, another, or two exchanged."""
    near: dict[str, set[str]] = {}
    names = {label: normalized(label) for label in counts}
    for label, name in names.items():
        if len(name) >= _SHORTEST_TYPED:
            # Two names that are an edit apart have a shortening by one character in common, or are it.
            for key in {name, *(name[:i] + name[i + 1 :] for i in range(len(name)))}:
                near.setdefault(key, set()).add(label)
    pairs = {
        (one, other)
        for labels in near.values()
        for one, other in permutations(sorted(labels), 2)
        if counts[other] <= _RARE * counts[one] and _is_one_edit(names[one], names[other])
    }
    return [{one: counts[one], other: counts[other]} for one, other in sorted(pairs)]


def _is_one_edit(one: str, other: str) -> bool:
    while one and other and one[0] == other[0]:
        one, other = one[1:], other[1:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    exchanged = len(one) == 2 and one == other[::-1]
    return (exchanged or max(len(one), len(other)) == 1) and (one + other).isalpha()


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
    if text.isascii() and (plain := " ".join(text.lower().split())).isprintable():
        return plain  # the same, much faster
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join("".join(character for character in folded if not _is_invisible(character)).split())


def cell_key(cell: Cell) -> str:
    """The same for two cells that are copies: of text as `normalized` has it, of a file in all its bytes."""
    if isinstance(cell, bytes):
        return blake2b(cell, digest_size=16).hexdigest()
    return normalized(as_line(cell))


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
