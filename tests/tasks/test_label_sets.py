import numpy as np
import pytest

from autoft.data.rows import RawSplit
from autoft.data.split import draw
from autoft.errors import DataError
from autoft.tasks.label_sets import known_labels, rarest_strata


def split(name, rows):
    return RawSplit(f"{name}.jsonl", "line", np.arange(1, 1 + rows), {})


def known(**of_rows):
    sets = {name: [frozenset(labels) for labels in rows] for name, rows in of_rows.items()}
    return known_labels({name: split(name, len(rows)) for name, rows in sets.items()}, "tags", sets)


def test_the_labels_of_train_in_natural_order():
    assert known(train=[{"topic 10"}, set(), {"topic 2", "topic 10"}], validation=[{"topic 2"}]) == [
        "topic 2",
        "topic 10",
    ]


def test_a_label_that_train_lacks_is_named_with_its_lines():
    with pytest.raises(
        DataError, match=r"^test\.jsonl: `c`, `d` of column `tags` is not in .* \(lines 2, 3\), so it cannot"
    ):
        known(train=[{"a"}], test=[{"a"}, {"a", "c"}, {"d"}])


def test_a_label_that_train_spells_otherwise_is_named_with_its_likeness():
    with pytest.raises(DataError, match=r"another data\.split\.seed; 'Refund' is 'refund' but for case"):
        known(train=[{"refund"}], test=[{"Refund"}])


def test_train_without_any_label_is_refused():
    with pytest.raises(DataError, match=r"^train\.jsonl: column `tags` has no label in any training row"):
        known(train=[set(), set()])


def test_a_row_s_stratum_is_its_rarest_label_and_too_small_a_stratum_stays_in_train():
    rows = [*[{"a"}] * 6, *[{"a", "b"}] * 3, {"a", "once"}, *[set()] * 3]
    assert rarest_strata([frozenset(row) for row in rows]) == [*["a"] * 6, *["b"] * 3, None, *[""] * 3]
    # Of the five rows with `b`, three have the rarer `c`, so two are left.
    rows = [*[{"a"}] * 6, *[{"b", "c"}] * 3, *[{"b"}] * 2]
    assert rarest_strata([frozenset(row) for row in rows]) == [*["a"] * 6, *["c"] * 3, None, None]


@pytest.mark.parametrize("seed", range(5))
def test_a_rare_label_is_in_every_split(seed):
    rng = np.random.default_rng(seed)
    rows = [frozenset(rng.choice(["a", "b", "c"], size=rng.integers(1, 3)).tolist()) for _ in range(200)]
    rows[:3] = [row | {"rare"} for row in rows[:3]]
    chosen = draw(rarest_strata(rows), {"validation": 0.15, "test": 0.15}, seed=seed)
    assert sorted(chosen[:3]) == ["test", "train", "validation"]
