"""Targets that can be read off an input: a word, a label's own name or a number that tells nearly always.

Judged on training rows alone, by what the cells of the columns are.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix
from scipy.stats import spearmanr
from sklearn.feature_extraction.text import CountVectorizer

from autoft.data.alike import normalized
from autoft.data.finding import Finding
from autoft.data.rows import EXAMPLES, Cell, RawSplit, as_line, elements, listed, quoted

NEARLY = 0.97
"""The share of rows from which on it is nearly always."""
_FEWEST = 20
"""Rows of a label, so that the share means something."""
_MOST_ROWS = 10_000
"""As many are looked at, evenly spread."""
_END = 500
"""Characters at each end of a text that are looked at."""
_WORD, _LETTERS_OR_DIGITS = re.compile(r"[^\W_]+"), re.compile(r"[^\W\d_]+|\d+")
_AFFIX = 3
"""Characters at each end of a number or a code that may be a code of their own."""
_WORD_OR_NUMBER = re.compile(r"[^\W\d_]+|([-+]?\d+(?:\.\d+)?)")
_PLACES = ("first", "last", "second", "second last", "third", "third last", "fourth", "fourth last")
"""Of the numbers of a text, from both its ends in turn."""
_BY_CHANCE = 0.5
"""The share of rows that hold the target of some other row, from which on holding one's own says nothing."""


def readable_targets(
    train: RawSplit, inputs: Sequence[str], target: str, encoded: pa.DataType
) -> list[Finding]:
    """A warning for each way in which an input column gives the target away.

    Args:
        train: the training rows.
        inputs: the input columns.
        target: the target column: a label a row, several, a number, or a tag for each word.
        encoded: the type of its numbers in rows.arrow.
    """
    if len(train) < _FEWEST:
        return []
    if len(train) > _MOST_ROWS:
        train = train.keep(np.linspace(0, len(train) - 1, _MOST_ROWS).astype(int))
    cells, found = train.columns[target], []
    for name in inputs:
        column = train.columns[name]
        if pa.types.is_floating(encoded):
            told = [_numbers(column, cells)]
        elif all(map(_is_tagged, column, cells)):
            told = [_tags(column, cells)]
        else:
            texts, labels = [_ends(cell) for cell in column], [_set(cell) for cell in cells]
            told = [_names(texts, labels), _words(texts, labels)]
        for said, rows in told:
            if len(rows):
                found.append(_finding(train, name, target, said, rows))
    return found


def _finding(train: RawSplit, column: str, target: str, said: str, rows: np.ndarray) -> Finding:
    texts, cells = train.columns[column], train.columns[target]
    shown = [
        f"{train.place(row)}: {quoted([texts[row]])} is {quoted([cells[row]])}"
        for row in rows[:EXAMPLES].tolist()
    ]
    return Finding(
        rule="readable target",
        said=f"column `{column}`: {said}",
        fix="If new rows do not have it when the model is asked, remove it from the input",
        counts={"rows": len(rows), "train": len(train)},
        examples=tuple(shown),
    )


Told = tuple[str, np.ndarray]
"""What tells the target, and the rows in which it does, int64 [k]; none where nothing does."""
_NOTHING: Told = ("", np.zeros(0, np.int64))


def _is_tagged(words: Cell, tags: Cell) -> bool:
    """Whether each word of a row has a target of its own."""
    return isinstance(words, tuple) and isinstance(tags, tuple) and len(words) == len(tags)


def _ends(cell: Cell) -> str:
    text = normalized(as_line(cell))
    return text if len(text) <= 2 * _END else f"{text[:_END]} {text[-_END:]}"


def _set(cell: Cell) -> frozenset[str]:
    return frozenset(cell) if isinstance(cell, tuple) else frozenset([str(cell or "")])


def _names(texts: Sequence[str], labels: Sequence[frozenset[str]]) -> Told:
    """Rows in which the names of their labels stand, and of no others."""
    names = {label: f" {_spaced(normalized(label))} " for label in frozenset().union(*labels)}
    labeled = [row for row, own in enumerate(labels) if own]
    told = []
    for row in labeled:
        text = f" {_spaced(texts[row])} "
        found = {label: name for label, name in names.items() if name in text}
        whole = {
            a
            for a, name in found.items()
            if not any(name in other for other in found.values() if other != name)
        }
        if whole == labels[row]:
            told.append(row)
    if len(told) < max(_FEWEST, NEARLY * len(labeled)):
        return _NOTHING
    of = f"{len(told):,} of {len(labeled):,}"
    return f"the label's name stands in {of} training rows looked at", np.array(told)


def _words(texts: Sequence[str], labels: Sequence[frozenset[str]]) -> Told:
    """Rows of labels of which nearly all rows have one of the `_terms` that nearly no others have."""
    vectorizer = CountVectorizer(binary=True, analyzer=_terms, min_df=_FEWEST)
    try:
        has = vectorizer.fit_transform(texts)
    except ValueError:  # no word is in so many rows
        return _NOTHING
    names = sorted(frozenset().union(*labels))
    number = {name: i for i, name in enumerate(names)}
    rows = [row for row, own in enumerate(labels) for _ in own]
    columns = [number[label] for own in labels for label in own]
    labeled = csr_matrix((np.ones(len(rows), int), (rows, columns)), shape=(len(texts), len(names)))
    both = (has.T @ labeled).tocoo()
    with_word, of_label = np.asarray(has.sum(axis=0)).ravel(), np.asarray(labeled.sum(axis=0)).ravel()
    share = both.data / np.maximum(with_word[both.row], of_label[both.col])
    terms = vectorizer.get_feature_names_out()
    sure = [
        i
        for i in np.flatnonzero((share >= NEARLY) & (both.data >= _FEWEST))
        if not _is_part(terms[both.row[i]], names[both.col[i]])
    ]
    if not sure:
        return _NOTHING
    best = {int(both.col[i]): i for i in sorted(sure, key=lambda i: (share[i], len(terms[both.row[i]]), i))}
    said = [f"{terms[both.row[i]]!r} for {names[label]!r}" for label, i in sorted(best.items())]
    told = (has[:, [both.row[i] for i in best.values()]].multiply(labeled[:, list(best)])).sum(axis=1)
    return f"a word names the label nearly always, {listed(said)}", np.flatnonzero(np.asarray(told).ravel())


def _terms(text: str) -> list[str]:
    """A text's words, each two of them in a row, and the parts of those that are more than letters."""
    words = text.split()
    parts = (part for word in words if not word.isalpha() for part in _parts(word))
    return [*words, *map(" ".join, pairwise(words)), *parts]


def _parts(word: str) -> Iterator[str]:
    """What may be a label's code in a word that no other row has: `bi`, `17`, `bi-...` of `bi-17`."""
    yield from _WORD.findall(word)
    yield from _LETTERS_OR_DIGITS.findall(word)
    if any(map(str.isdigit, word)):
        for size in range(1, min(_AFFIX, len(word) - 1) + 1):
            yield f"{word[:size]}..."
            yield f"...{word[-size:]}"


def _is_part(term: str, label: str) -> bool:
    """Plain words of the label's name: that texts about direct debits say so is what a model may learn."""
    plain = term.removeprefix("...").removesuffix("...")
    return set(plain.split()) <= set(_spaced(normalized(label)).split())


def _numbers(column: Sequence[Cell], cells: Sequence[Cell]) -> Told:
    """Rows with a number in the same place, or by the same word, that grows with the target, or is it."""
    target = np.array([float(str(cell)) for cell in cells])
    fewest = max(_FEWEST, NEARLY * len(column))
    texts = [_Numbers.of(_ends(cell)) for cell in column]
    frequent = Counter(where for text in texts for where in text.named)
    for where in (where for where, rows in frequent.items() if rows >= fewest):
        having = np.array([row for row, text in enumerate(texts) if where in text.named])
        numbers = np.array([texts[row].named[where] for row in having])
        if _grows_with(numbers, target[having]):
            of = f"{len(having):,} of {len(column):,}"
            return f"the {where} in {of} training rows looked at tells the target", having
    holds = np.array([own in text.all for own, text in zip(target, texts, strict=True)])
    others = np.roll(target, len(target) // 2)
    by_chance = np.mean([own in text.all for own, text in zip(others, texts, strict=True)])
    if holds.sum() < fewest or by_chance >= _BY_CHANCE:
        return _NOTHING
    of = f"{holds.sum():,} of {len(column):,}"
    return f"a number in {of} training rows looked at is the target", np.flatnonzero(holds)


@dataclass(frozen=True)
class _Numbers:
    """Those of one text."""

    named: Mapping[str, float]
    """By where they stand, as it is said: `first number`, `number after 'rated'`."""
    all: frozenset[float]

    @staticmethod
    def of(text: str) -> "_Numbers":
        found = list(_WORD_OR_NUMBER.finditer(text))
        numbers = {i: float(each[0]) for i, each in enumerate(found) if each[1]}
        row = list(numbers.values())
        named = {
            f"{where} number": row[place // 2 if place % 2 == 0 else -1 - place // 2]
            for place, where in enumerate(_PLACES)
            if place // 2 < len(row)
        }
        for i, number in numbers.items():
            for at, side in ((i - 1, "after"), (i + 1, "before")):
                if 0 <= at < len(found) and not found[at][1]:
                    named.setdefault(f"number {side} {found[at][0]!r}", number)
        return _Numbers(named, frozenset(row))


def _grows_with(numbers: np.ndarray, target: np.ndarray) -> bool:
    """Whether they say the order of the targets, or its reverse."""
    if not (np.ptp(numbers) and np.ptp(target)):
        return False
    return bool(abs(spearmanr(numbers, target).statistic) >= NEARLY)


def _tags(column: Sequence[Cell], cells: Sequence[Cell]) -> Told:
    """Rows with words in which, or before which, the name of their tag stands."""
    rows, tagged = [], 0
    for row, (words, tags) in enumerate(zip(column, cells, strict=True)):
        spaced = [f" {_spaced(normalized(word))} " for word in elements(words)]
        kinds = [f" {_spaced(normalized(tag.partition('-')[2]))} " for tag in elements(tags)]
        entities = [i for i, kind in enumerate(kinds) if kind.strip()]
        named = sum(kinds[i] in spaced[max(i - 1, 0)] + spaced[i] for i in entities)
        tagged += len(entities)
        rows += [row] * named
    if len(rows) < max(_FEWEST, NEARLY * tagged):
        return _NOTHING
    of = f"{len(rows):,} of {tagged:,}"
    return f"the name of its tag stands in or before {of} tagged words", np.unique(rows)


def _spaced(text: str) -> str:
    """Words alone, with single spaces."""
    return re.sub(r"[\W_]+", " ", text).strip()
