"""The pruners: which trials are stopped early."""

from collections.abc import Mapping

from autoft.spec.methods import Method, Option, by_name

_REDUCTION = Option("reduction_factor", 3, 2, "one trial in this many continues from each rung", high=100)
_FIRST = "measurements before the first decision; 0: automatic, a quarter of them or the whole warmup"
_RESOURCE = Option(
    "min_resource",
    0,
    0,
    _FIRST,
)

PRUNERS: Mapping[str, Method] = by_name(
    Method(
        "successive_halving",
        "at every rung only the best go on, asynchronously (ASHA, arXiv 1810.05934)",
        (_REDUCTION, _RESOURCE),
    ),
    Method(
        "hyperband",
        "successive halving in several brackets with different first rungs; for many trials",
        (_REDUCTION, _RESOURCE),
    ),
    Method(
        "median",
        "stops a trial whose best so far is worse than the median of the others at the same point",
        (
            Option("n_startup_trials", 5, 0, "finished trials before any is stopped"),
            Option("n_warmup_steps", 0, 0, _FIRST),
        ),
    ),
    Method("none", "every trial runs to its end"),
)
"""By name."""
