"""Draws the held-out splits: by seed, in proportion to the labels, and never through a group."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from autoft.data.rows import listed
from autoft.data.values import natural_order
from autoft.errors import DataError

_GROUP_DRAWS = 64
"""Random placements of whole groups, of which the one nearest to the shares is taken."""


def draw(
    labels: Sequence[str],
    shares: Mapping[str, float],
    *,
    seed: int,
    stratify: bool = True,
    groups: Sequence[str] | None = None,
    group_column: str = "",
    all_in_train: bool = True,
) -> np.ndarray:
    """The split of each row: one of the names in `shares`, or `train`; str array [n].

    `shares` are of all rows, in (0, 1). With `stratify` every label is in every split, in proportion to its
    rows up to rounding; rows of labels that have fewer rows than there are splits stay in train. With
    `groups` [n], rows of one group stay together and the proportions are as near as the groups allow. With
    `all_in_train` every label is in train: of one that by chance is not, a row or its group moves there. The
    same arguments give the same splits.
    Raises DataError where that leaves a split without rows, or measures hardly any label (`_enough`).
    """
    splits = np.array(["train", *shares])
    names = natural_order(labels)
    number = {name: i for i, name in enumerate(names)}
    codes = np.array([number[label] for label in labels], np.int64)
    if len(labels) < len(splits):
        raise DataError(
            f"{len(labels)} rows cannot fill {len(splits)} splits ({', '.join(splits)}); add rows"
        )
    rng = np.random.default_rng(seed)
    if groups is not None:
        chosen = _draw_groups(codes, groups, shares, rng, stratify, group_column)
    elif stratify:
        enough = _enough(codes, names, tuple(splits))
        chosen = np.zeros(len(codes), np.int64)
        chosen[enough] = _draw_stratified(np.unique(codes[enough], return_inverse=True)[1], shares, rng)
    else:
        chosen = _draw_plain(len(labels), shares, rng)
    missing = np.setdiff1d(codes, codes[chosen == 0])
    if len(missing) and all_in_train:
        filled = np.unique(chosen)
        chosen = _with_these_in_train(missing, chosen, codes, groups)
        if len(np.unique(chosen)) < len(filled):
            few = listed([names[i] for i in missing], "`")
            raise DataError(_no_room(few, group_column if groups is not None else None, stratify))
    drawn: np.ndarray = splits[chosen]
    return drawn


def _with_these_in_train(
    missing: np.ndarray, chosen: np.ndarray, codes: np.ndarray, groups: Sequence[str] | None
) -> np.ndarray:
    """The splits, but that of each label `missing` in train the first row, or its group, has moved there."""
    moved = chosen.copy()
    of_row = np.arange(len(codes)) if groups is None else pd.factorize(np.array(groups, dtype=object))[0]
    for label in missing:
        if moved[codes == label].all():
            moved[of_row == of_row[np.argmax(codes == label)]] = 0
    return moved


def _no_room(few: str, group_column: str | None, stratify: bool) -> str:
    """Why labels have no row in train, and what to do."""
    why = (
        "by chance"
        if group_column is None
        else f"all its rows are in groups of `{group_column}` that are held out"
    )
    fix = (
        "or another data.split.seed" if stratify else "another data.split.seed, or data.split.stratify: true"
    )
    return (
        f"label {few} has no row in train: {why}; with one there, nothing is left of another split; "
        f"every label must be in train: add rows, {fix}"
    )


def _enough(codes: np.ndarray, names: Sequence[str], splits: Sequence[str]) -> np.ndarray:
    """The rows whose label has one for each split, bool [n].

    Raises DataError where some have too few, and not two labels have enough, or labels are more than half as
    many as rows: a score would tell of nothing.
    """
    sizes = np.bincount(codes, minlength=len(names))
    few = [f"`{names[i]}` ({sizes[i]})" for i in np.argsort(sizes, kind="stable") if sizes[i] < len(splits)]
    two, doubt = "", ""
    if len(names) - len(few) < 2:
        two = ", and two labels must have them"
    if len(names) > len(codes) / 2:
        doubt = (
            f". There are {len(names)} different labels in {len(codes)} rows: is the target the right column?"
        )
    if not few or not (two or doubt):
        enough: np.ndarray = sizes[codes] >= len(splits)
        return enough
    raise DataError(
        f"too few rows of the label{'s' * (len(few) > 1)} {listed(few)}: for one in each of "
        f"{', '.join(splits)} a label needs {len(splits)} rows{two}; add rows, merge or remove these "
        f"labels, or set data.split.stratify: false{doubt}"
    )


def _draw_plain(n: int, shares: Mapping[str, float], rng: np.random.Generator) -> np.ndarray:
    order = rng.permutation(n)
    chosen = np.zeros(n, np.int64)
    start = 0
    for index, share in enumerate(shares.values(), start=1):
        size = min(max(1, round(n * share)), n - start - (len(shares) - index) - 1)
        chosen[order[start : start + size]] = index
        start += size
    return chosen


def _draw_stratified(codes: np.ndarray, shares: Mapping[str, float], rng: np.random.Generator) -> np.ndarray:
    sizes = np.bincount(codes)
    taken = np.zeros(len(sizes), np.int64)
    surplus = np.zeros(len(sizes))
    # Rows grouped by label, shuffled within each: the first ones of a label go to the first split, and so on.
    order = np.lexsort((rng.random(len(codes)), codes))
    rank = np.empty(len(codes), np.int64)
    rank[order] = np.arange(len(codes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    chosen = np.zeros(len(codes), np.int64)
    for index, share in enumerate(shares.values(), start=1):
        quota = _quota(sizes, share, sizes - taken - (len(shares) - index) - 1, surplus)
        surplus += quota - sizes * share
        inside = (rank >= taken[codes]) & (rank < (taken + quota)[codes])
        chosen[inside] = index
        taken += quota
    return chosen


def _quota(sizes: np.ndarray, share: float, free: np.ndarray, surplus: np.ndarray) -> np.ndarray:
    """Rows of each label for one split: its share, at least 1, at most what is `free`.

    The largest remainders are rounded up until the split has its size (Hamilton's apportionment), less what
    earlier splits took in surplus, so that it is not the same label's train rows that pay each time.
    """
    ideal = sizes * share
    quota: np.ndarray = np.minimum(np.maximum(np.floor(ideal), 1), free).astype(np.int64)
    rest = round(sizes.sum() * share) - quota.sum()
    for label in np.argsort(quota - ideal + surplus, kind="stable"):
        if rest > 0 and quota[label] < free[label] and quota[label] < ideal[label]:
            quota[label] += 1
            rest -= 1
    return quota


def _draw_groups(
    codes: np.ndarray,
    groups: Sequence[str],
    shares: Mapping[str, float],
    rng: np.random.Generator,
    stratify: bool,
    column: str,
) -> np.ndarray:
    """The best of many random placements: every label in train, then in each split, then near the shares."""
    group_of, distinct = pd.factorize(np.array(groups, dtype=object))
    n_splits = len(shares) + 1
    if len(distinct) < n_splits:
        raise DataError(
            f"column `{column}` has {len(distinct)} different values; to keep each one in a single split of "
            f"train, {', '.join(shares)}, there must be at least {n_splits}; choose another data.split.group"
        )
    weights = np.bincount(group_of)
    strata = codes if stratify else np.zeros_like(codes)
    n_strata = int(strata.max()) + 1
    part = np.array([1 - sum(shares.values()), *shares.values()])
    ideal = part[:, None] * np.bincount(strata, minlength=n_strata)
    best: tuple[tuple[float, ...], np.ndarray] | None = None
    for _ in range(_GROUP_DRAWS):
        chosen = _place(weights, np.array(list(shares.values())), rng)[group_of]
        counts = np.bincount(chosen * n_strata + strata, minlength=n_splits * n_strata).reshape(
            n_splits, n_strata
        )
        untrained = len(np.setdiff1d(codes, codes[chosen == 0]))
        badness = (untrained, float((counts == 0).sum()), float(np.abs(counts - ideal).sum()))
        if best is None or badness < best[0]:
            best = (badness, chosen)
    assert best is not None
    return best[1]


def _place(weights: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A split for each group: shuffled groups laid end to end and cut where the shares end; none is empty."""
    order = rng.permutation(len(weights))
    ends = np.cumsum(weights[order])
    middles = ends - weights[order] / 2
    cuts = [0]
    for index, share in enumerate(np.cumsum(shares)):
        cut = int(np.searchsorted(middles, share * ends[-1]))
        room = len(shares) - index  # groups that must be left for the splits after this one, train the last
        cuts.append(min(max(cut, cuts[-1] + 1), len(weights) - room))
    index_of = np.searchsorted(cuts[1:], np.arange(len(weights)), side="right")
    placed = np.empty(len(weights), np.int64)
    placed[order] = (index_of + 1) % (len(shares) + 1)
    return placed
