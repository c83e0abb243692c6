"""Rows of two splits that are nearly the same: by MinHash, and those that it proposes letter by letter.

MinHash and its bands: Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", section 3.3 and 3.4.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import combinations

import numpy as np

from autoft.data.copies import row_keys
from autoft.data.finding import Finding
from autoft.data.rows import EXAMPLES, RawSplit, quoted

NEAR = 0.8
"""Two texts with such a share of pieces in common (Jaccard index) are nearly the same."""
_NO_WORD = re.compile(r"[\W_]+")
_PIECE = 4
"""Characters of a piece; a text has one from each of its characters on."""
_HASHES, _BANDS = 64, 16
"""Two texts at NEAR are proposed with probability 1 - (1 - 0.8^4)^16 = 0.9998."""
_DOUBT = 0.15
"""Three standard errors of the share that is estimated from the hashes."""
_MOST = 2000
"""Characters that are looked at; models read about as many."""
_TRIED = 4
"""Rows of a bucket that are compared, so that texts made by a template take no longer."""
_CHUNK = 2_000_000
"""Characters that are hashed at a time."""
_SHARED = 0.95
"""The share of a split's rows from which on a word that they have says nothing of a row: a footer's, say."""
_FEWEST, _SAMPLED = 20, 1000
"""Rows of a split, so that the share means something, and rows that tell it."""


def near_copies(splits: Mapping[str, RawSplit], inputs: Sequence[str], target: str) -> list[Finding]:
    """A warning for each two of `splits` that have rows which are nearly, and not exactly, the same.

    Punctuation counts for nothing, and neither do words that nearly all rows of one of the two splits have
    and not of the other, such as a footer's. A pair is nearly the same where both its texts are, in either
    order.
    """
    looked = [_Looked(name, split, inputs, target) for name, split in splits.items()]
    found = [_finding(other, own) for other, own in combinations(looked, 2)]
    return [each for each in found if each is not None]


Texts = tuple[str, ...]
"""Of a row, one of each column, without punctuation."""


class _Looked:
    """A split as it is compared."""

    def __init__(self, name: str, split: RawSplit, inputs: Sequence[str], target: str) -> None:
        self.name, self.split, self.inputs = name, split, inputs
        self.targets = split.columns[target]
        self.keys = row_keys(split, inputs)
        self.known = frozenset(self.keys)
        self.signed = _Signed([tuple(_bare(text) for text in key) for key in self.keys])
        self.shared = _shared_words(self.keys)

    def without(self, words: Set[str]) -> "_Signed":
        """Its rows without these words."""
        return _Signed([tuple(_bare(_left(text, words)) for text in key) for key in self.keys])

    def inputs_of(self, row: int) -> str:
        return quoted([self.split.columns[column][row] for column in self.inputs])


class _Signed:
    """Rows with what proposes that two of them are alike."""

    def __init__(self, texts: Sequence[Texts]) -> None:
        self.texts = texts
        # Sorted: a pair is the same one the other way round.
        self.signatures = _signatures(["\n".join(sorted(each)) for each in texts])
        size = _HASHES // _BANDS
        weights = np.random.default_rng(1).integers(2**63, size=size, dtype=np.uint64) | np.uint64(1)
        bands = self.signatures.reshape(len(texts), _BANDS, size).astype(np.uint64)
        self.buckets = (bands * weights).sum(axis=2, dtype=np.uint64)
        """Where a row lies in each band, uint64 [n, bands]."""

    @property
    def hold_something(self) -> np.ndarray:
        """Which rows have a word, bool [n]."""
        return np.array([any(map(str.strip, each)) for each in self.texts])


def _shared_words(keys: Sequence[Texts]) -> frozenset[str]:
    """The words of nearly all rows, in whichever column."""
    if len(keys) < _FEWEST:
        return frozenset()
    sample = np.linspace(0, len(keys) - 1, min(len(keys), _SAMPLED)).astype(int)
    counts = Counter(word for row in sample for word in set(_words("\n".join(keys[row]))))
    return frozenset(word for word, n in counts.items() if n >= _SHARED * len(sample))


def _words(text: str) -> list[str]:
    return _NO_WORD.sub(" ", text).split()


def _left(text: str, words: Set[str]) -> str:
    return " ".join(word for word in _words(text) if word not in words)


def _finding(other: _Looked, own: _Looked) -> Finding | None:
    twins = _twins(other, own)
    if not twins:
        return None
    relabeled = sum(own.targets[row] != other.targets[twin] for row, twin in twins.items())
    return Finding(
        rule="near copies",
        said=f"{len(twins):,} of {len(own.keys):,} {own.name} rows are nearly rows of {other.name}"
        + (f", {relabeled:,} of them with another label" if relabeled else ""),
        fix="A score on rows that were nearly seen before says little of new ones: keep them in one split",
        counts={own.name: len(twins), "relabeled": relabeled},
        # The text is that of the earlier split: test rows are not shown.
        examples=tuple(
            f"{own.split.place(row)} is nearly {other.split.place(twin)}: {other.inputs_of(twin)}"
            for row, twin in list(twins.items())[:EXAMPLES]
        ),
    )


def _twins(other: _Looked, own: _Looked) -> dict[int, int]:
    """By rows of `own`, in order, one row of `other` that is nearly the same; exact copies are no twins."""
    open_rows = np.array([key not in other.known for key in own.keys])
    twins = _alike(other.signed, own.signed, open_rows)
    if words := own.shared ^ other.shared:
        bare = own.without(words)
        twins |= _alike(other.without(words), bare, open_rows & bare.hold_something)
    return dict(sorted(twins.items()))


def _alike(other: _Signed, own: _Signed, open_rows: np.ndarray) -> dict[int, int]:
    """By `open_rows` of `own` (a mask), a row of `other` that is nearly the same; these are open no more."""
    twins: dict[int, int] = {}
    for rows, proposed in _proposed(other, own, open_rows):
        alike = (own.signatures[rows] == other.signatures[proposed]).mean(axis=1)
        likely = alike >= NEAR - _DOUBT
        for row, twin in zip(rows[likely].tolist(), proposed[likely].tolist(), strict=True):
            if open_rows[row] and _nearly_same(own.texts[row], other.texts[twin]):
                twins[row] = twin
                open_rows[row] = False
    return twins


def _proposed(other: _Signed, own: _Signed, open_rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows of `own` among the `open_rows` (a mask, read anew each time), and one of `other` for each."""
    for band in range(_BANDS):
        order = np.argsort(other.buckets[:, band], kind="stable")
        buckets = other.buckets[order, band]
        first, end = (np.searchsorted(buckets, own.buckets[:, band], side) for side in ("left", "right"))
        for more in range(_TRIED):
            rows = np.flatnonzero(open_rows & (first + more < end))
            yield rows, order[first[rows] + more]


def _nearly_same(one: Texts, other: Texts) -> bool:
    ways = (other, other[::-1]) if len(other) == 2 else (other,)
    return any(all(map(_near, one, way)) for way in ways)


def _near(text: str, second: str) -> bool:
    mine, theirs = _pieces(text), _pieces(second)
    return len(mine & theirs) >= NEAR * len(mine | theirs)


def _bare(text: str) -> str:
    """A normalized text without punctuation, unless that is all; as long as a piece at least."""
    words = _NO_WORD.sub(" ", text).strip() or text
    return f" {words} "[:_MOST].ljust(_PIECE)


def _pieces(text: str) -> set[str]:
    return {text[i : i + _PIECE] for i in range(len(text) - _PIECE + 1)}


def _signatures(texts: Sequence[str]) -> np.ndarray:
    """The least of each hash over a text's pieces, uint32 [n, hashes]."""
    found = np.zeros((len(texts), _HASHES), np.uint32)
    start = 0
    ends = np.cumsum([len(text) for text in texts])
    while start < len(texts):
        before = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + _CHUNK, "right")))
        found[start:end] = _signatures_of_few(texts[start:end])
        start = end
    return found


def _signatures_of_few(texts: Sequence[str]) -> np.ndarray:
    lengths = np.array([len(text) for text in texts])
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), "<u4").astype(np.uint64)
    pieces = np.zeros(len(codes) - _PIECE + 1, np.uint64)
    for place in range(_PIECE):
        pieces = pieces * np.uint64(0x100000001B3) + codes[place : place + len(pieces)]
    pieces = (pieces ^ (pieces >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    pieces ^= pieces >> np.uint64(32)
    # Those that begin in one text and end in the next are no pieces.
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(codes))
    pieces = pieces[left[: len(pieces)] >= _PIECE]
    counts = lengths - _PIECE + 1
    starts = np.cumsum(counts) - counts
    odd = np.random.default_rng(0).integers(2**63, size=_HASHES, dtype=np.uint64) * np.uint64(2) + np.uint64(
        1
    )
    hashed = [np.minimum.reduceat((pieces * each) >> np.uint64(32), starts) for each in odd]
    return np.stack(hashed, axis=1).astype(np.uint32)
