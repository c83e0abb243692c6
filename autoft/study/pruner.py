"""Decides which trials stop early."""

from collections.abc import Callable, Mapping

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner

from autoft.spec.space import Value
from autoft.spec.study import SearchMethod


def make_pruner(method: SearchMethod, grid: int) -> BasePruner:
    """The study's pruner; all of its state is in the study, so it survives a restart.

    Args:
        method: names the pruner and its options.
        grid: measurements of the longest trial, given to the pruner as the largest resource instead of
            letting it guess from what has finished.

    Raises:
        KeyError: no such pruner; the spec has checked the name.
    """
    return _PRUNERS[method.pruner](method.pruner_options, grid)


def _successive_halving(options: Mapping[str, Value], grid: int) -> BasePruner:
    """Asynchronous successive halving (ASHA, arXiv 1810.05934) with one bracket."""
    return SuccessiveHalvingPruner(
        min_resource=int(options.get("min_resource", 1)),
        reduction_factor=int(options.get("reduction_factor", 3)),
        min_early_stopping_rate=0,
        bootstrap_count=0,
    )


def _hyperband(options: Mapping[str, Value], grid: int) -> BasePruner:
    """Several brackets that differ in how early they stop (arXiv 1603.06560)."""
    return HyperbandPruner(
        min_resource=int(options.get("min_resource", 1)),
        max_resource=grid,
        reduction_factor=int(options.get("reduction_factor", 3)),
    )


def _median(options: Mapping[str, Value], grid: int) -> BasePruner:
    """Stops what is below the median of the earlier trials at the same step (Vizier, KDD 2017)."""
    return MedianPruner(
        n_startup_trials=int(options.get("n_startup_trials", 5)),
        n_warmup_steps=int(options.get("n_warmup_steps", 0)),
    )


def _none(options: Mapping[str, Value], grid: int) -> BasePruner:
    return NopPruner()


_PRUNERS: dict[str, Callable[[Mapping[str, Value], int], BasePruner]] = {
    "successive_halving": _successive_halving,
    "hyperband": _hyperband,
    "median": _median,
    "none": _none,
}
