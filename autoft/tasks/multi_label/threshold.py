"""Above which probability a label is given: where the study's objective is highest on the validation rows.

One threshold serves all labels: in a long tail of labels most have a handful of validation rows, and a
threshold of each one's own would fit these rows (experiments/LOG.md).
"""

from collections.abc import Callable, Mapping

import numpy as np

from autoft.tasks.resampling import share


def best_threshold(objective: str, probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Where the `objective` is highest, between two probabilities that occur, or above all of them.

    The labels of all rows are given one by one, the likeliest first, and the objective is known after each
    (Koyejo et al. 2014, "Consistent binary classification with generalized performance metrics": a threshold
    that is best for the metric on held-out rows is best for it). Of an objective that needs no threshold it
    is that of micro F1.

    Args:
        objective: a metric's name.
        probabilities: [n, labels].
        truth: [n, labels], 1 where a row has the label.
    """
    order = np.argsort(-probabilities, axis=None, kind="stable")
    # In float64 there is a number between any two that are not equal in float32.
    ends = np.concatenate([[1.0], probabilities.astype(np.float64).ravel()[order], [0.0]])
    reached = _REACHED.get(objective, _micro_f1)(order, truth)
    apart = np.append(True, ends[1:-1] > ends[2:])  # equal ones are given together
    given = int(np.argmax(np.where(apart, reached, -1)))
    return float((ends[given] + ends[given + 1]) / 2)


def _micro_f1(order: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Micro F1 when the first 0, 1, ... of `order` are given, indices into `truth` laid flat."""
    right = np.append(0, np.cumsum(truth.ravel()[order]))
    return share(2 * right, np.arange(len(right)) + truth.sum())


def _macro_f1(order: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The same of macro F1, of labels that occur or are given."""
    labels, right, support = order % truth.shape[1], truth.ravel()[order].astype(int), truth.sum(axis=0)
    given, hits = _running(np.ones_like(right), labels), _running(right, labels)
    both = given + support[labels]
    gained = 2 * hits / both - share(2 * (hits - right), both - 1)
    there = (support > 0).sum() + np.cumsum((given == 1) & (support[labels] == 0))
    return np.append(0, np.cumsum(gained) / there)


def _exact_match(order: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The same of the share of rows with exactly the right labels."""
    rows, support = order // truth.shape[1], truth.sum(axis=1)
    change = np.where(truth.ravel()[order], -1, 1)
    wrong = support[rows] + _running(change, rows)
    gained = (wrong == 0).astype(int) - (wrong == change)
    right = np.append(0, np.cumsum(gained)) + (support == 0).sum()
    found: np.ndarray = right / len(truth)
    return found


def _running(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The sum of each group's `values` [n] so far."""
    by_group = np.argsort(groups, kind="stable")
    sums, sizes = np.cumsum(values[by_group]), np.bincount(groups)
    before = np.append(0, sums)[np.cumsum(sizes) - sizes]
    found = np.empty_like(sums)
    found[by_group] = sums - np.repeat(before, sizes)
    return found


_REACHED: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "macro_f1": _macro_f1,
    "exact_match": _exact_match,
}
