"""Optuna's own figures of a study, for a notebook."""

import warnings
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.trial import create_trial
from optuna.visualization import matplotlib as plots

from autoft.study.likely_ends import likely_ends, measured_trials

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figures(study: optuna.Study, objective: str) -> "dict[str, Figure]":
    """By name; none before a trial is measured.

    - `history`: the score of every complete trial, and the best so far;
    - `curves`: each trial's score over its measurements;
    - `slices`: the score over each searched parameter;
    - `parallel`: all parameters of a trial side by side.

    In the last two a stopped trial counts with the score that it would likely have had, as on the page.

    Args:
        study: in its storage.
        objective: what is written at the axes.
    """
    from matplotlib import pyplot as plt  # takes a second, which nothing else needs

    trials, ends = measured_trials(study), likely_ends(study)
    if not trials:
        return {}
    at_full_budget = optuna.create_study(direction=study.direction)
    at_full_budget.add_trials(
        create_trial(value=ends[each.number], params=each.params, distributions=each.distributions)
        for each in trials
        if each.number in ends and each.params
    )
    likely = f"likely final {objective}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        drawn: dict[str, Any] = {
            "history": plots.plot_optimization_history(study, target_name=objective),
            "curves": plots.plot_intermediate_values(study),
        }
        if at_full_budget.trials:
            drawn["slices"] = plots.plot_slice(at_full_budget, target_name=likely)
            drawn["parallel"] = plots.plot_parallel_coordinate(at_full_budget, target_name=likely)
    found = {name: _figure_of(axes) for name, axes in drawn.items()}
    for figure in found.values():
        plt.close(figure)  # or a notebook would show it twice
    return found


def _figure_of(axes: Any) -> "Figure":
    """Of one plot, or of several beside each other."""
    figure: Figure = getattr(axes, "flat", [axes])[0].get_figure()
    return figure
