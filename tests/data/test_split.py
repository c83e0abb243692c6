from collections import Counter

import numpy as np
import pytest

from autoft.data.split import draw
from autoft.errors import DataError

SHARES = {"validation": 0.15, "test": 0.15}


def labels_of(sizes):
    return [name for name, size in sizes.items() for _ in range(size)]


@pytest.mark.parametrize("seed", range(20))
def test_stratified_splits_hold_every_label_in_proportion(seed):
    rng = np.random.default_rng(seed)
    labels = labels_of({f"l{i}": int(size) for i, size in enumerate(rng.integers(3, 300, 12))})
    rng.shuffle(labels)
    chosen = draw(labels, SHARES, seed=seed)
    sizes = Counter(labels)
    for name, share in SHARES.items():
        counts = Counter(np.array(labels)[chosen == name].tolist())
        # A share rounded down or up, but never to nothing: Hamilton's apportionment keeps its quota.
        assert all(abs(counts[label] - sizes[label] * share) <= 1 for label in sizes)
        assert min(counts[label] for label in sizes) >= 1
        assert abs((chosen == name).sum() - len(labels) * share) <= 1 + sum(
            size * share < 1 for size in sizes.values()
        )
    assert set(np.array(labels)[chosen == "train"]) == set(sizes)


@pytest.mark.parametrize("shares", [SHARES, {"validation": 0.3}, {"validation": 0.5, "test": 0.4}])
def test_a_label_with_a_row_for_each_split_is_in_each(shares):
    n_splits = len(shares) + 1
    labels = labels_of({"rare": n_splits, "common": 97})
    chosen = draw(labels, shares, seed=1)
    assert sorted(chosen[:n_splits]) == sorted(["train", *shares])


def test_the_seed_decides_and_only_the_seed():
    labels = labels_of({"a": 50, "b": 50})
    groups = [str(i % 25) for i in range(100)]
    for options in ({}, {"stratify": False}, {"groups": groups, "group_column": "g"}):
        first = draw(labels, SHARES, seed=3, **options)
        assert (first == draw(labels, SHARES, seed=3, **options)).all()
        assert (first != draw(labels, SHARES, seed=4, **options)).any()


def test_unstratified_sizes_are_the_shares():
    chosen = draw(labels_of({"a": 60, "b": 40}), SHARES, seed=0, stratify=False)
    assert Counter(chosen.tolist()) == {"train": 70, "validation": 15, "test": 15}


@pytest.mark.parametrize("stratify", [True, False])
@pytest.mark.parametrize("seed", range(8))
def test_no_group_crosses_a_split_and_the_shares_are_near(seed, stratify):
    rng = np.random.default_rng(seed)
    labels = rng.choice(["a", "b", "c"], 600, p=[0.6, 0.3, 0.1]).tolist()
    groups = [str(g) for g in rng.integers(0, 120, 600)]  # about 5 rows a customer
    chosen = draw(labels, SHARES, seed=seed, stratify=stratify, groups=groups, group_column="customer")
    homes = {group: set(chosen[np.array(groups) == group]) for group in set(groups)}
    assert all(len(home) == 1 for home in homes.values())
    for name, share in SHARES.items():
        assert (chosen == name).mean() == pytest.approx(share, abs=0.03)
        if stratify:  # the best of 64 placements; a single one is off by up to 0.1 for `c`
            assert (chosen == name)[np.array(labels) == "c"].mean() == pytest.approx(share, abs=0.08)


def test_three_groups_fill_three_splits_however_uneven():
    labels = labels_of({"a": 5}) + labels_of({"a": 3, "b": 2}) * 18
    groups = ["x"] * 3 + ["y"] * 2 + ["z"] * 90
    chosen = draw(labels, SHARES, seed=0, groups=groups, group_column="customer")
    assert set(chosen[5:]) == {"train"} and set(chosen[:5]) == {"validation", "test"}


@pytest.mark.parametrize("shares", [SHARES, {"validation": 0.3}])
def test_labels_that_are_too_rare_for_all_splits_stay_in_train_beside_what_is_drawn(shares):
    """The others are drawn as they would be without them."""
    common = labels_of({"a": 60, "c": 40})
    rare = labels_of({"b": 1, "d": len(shares)})
    chosen = draw([*rare, *common], shares, seed=2)
    assert set(chosen[: len(rare)]) == {"train"}
    assert (chosen[len(rare) :] == draw(common, shares, seed=2)).all()


def test_a_label_that_train_lacks_by_chance_gets_a_row_there_and_nothing_else_moves():
    labels = [*labels_of({"a": 90}), *(f"rare {i}" for i in range(10))]
    chosen = draw(labels, SHARES, seed=0, stratify=False)
    plain = draw(labels, SHARES, seed=0, stratify=False, all_in_train=False)
    moved = np.flatnonzero(chosen != plain)
    assert (plain[90:] != "train").any()
    assert moved.tolist() == [90 + i for i in range(10) if plain[90 + i] != "train"]
    assert set(chosen[moved]) == {"train"}


def test_a_group_with_a_label_that_train_lacks_moves_there_as_a_whole():
    """Of 90 customers each has a label of its own, so that 64 placements leave many labels out of train."""
    groups = [str(i // 2) for i in range(200)]
    labels = [f"l{i // 2}" if i % 2 and i < 180 else "common" for i in range(200)]
    chosen = draw(labels, SHARES, seed=0, groups=groups, group_column="customer")
    assert set(np.array(labels)[chosen == "train"]) == set(labels)
    assert (chosen[::2] == chosen[1::2]).all()
    assert set(chosen[180:]) == {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (
            labels_of({"a": 9, "b": 2}),
            {},
            r"too few rows of the label `b` \(2\).* needs 3 rows.* data\.split\.stratify: false",
        ),
        (
            [str(i) for i in range(50)],
            {},
            r"`4` \(1\) and 45 more.* 50 different labels in 50 rows: is the target",
        ),
        (
            [*labels_of({"a": 9, "b": 9}), *(str(i) for i in range(20))],
            {},
            r"needs 3 rows; add rows.* 22 different labels in 38 rows: is the target",
        ),
        (["a", "b"], {}, r"2 rows cannot fill 3 splits"),
        (
            labels_of({"a": 9, "b": 9}),
            {"groups": ["g", "h"] * 9, "group_column": "customer"},
            r"column `customer` has 2 different values.* at least 3",
        ),
        (
            labels_of({"a": 3, "b": 3, "c": 3}),
            {"groups": labels_of({"a": 3, "b": 3, "c": 3}), "group_column": "customer"},
            r"has no row in train: all its rows are in groups of `customer`",
        ),
        (
            [str(i) for i in range(50)],
            {"stratify": False},
            r"has no row in train: by chance.* data\.split\.stratify: true",
        ),
    ],
)
def test_what_cannot_be_split_says_why_and_how_to_mend(labels, options, message):
    with pytest.raises(DataError, match=message):
        draw(labels, SHARES, seed=0, **options)
