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

WIDTH, HEIGHT = 8.0, 5.0
"""Of a figure of two plots or fewer, in inches; each further plot is half as wide."""


def figures(study: optuna.Study, objective: str) -> "dict[str, Figure]":
    """By name; none before a trial is measured.

    - `history`: the score of every complete trial, and the best so far;
    - `curves`: each trial's score over its measurements, Optuna's intermediate values;
    - `slices`: the score over each searched parameter; a stopped trial counts with the score that it would
      likely have had, as on the page.

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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        drawn: dict[str, Any] = {
            "history": plots.plot_optimization_history(study, target_name=objective),
            "curves": plots.plot_intermediate_values(study),
        }
        if at_full_budget.trials:
            drawn["slices"] = plots.plot_slice(at_full_budget, target_name=f"likely final {objective}")
    found = {name: _figure_of(axes) for name, axes in drawn.items()}
    for figure in found.values():
        figure.set_size_inches(max(WIDTH, WIDTH / 2 * len(figure.axes)), HEIGHT)
        figure.set_layout_engine("constrained")  # or long names would be cut off
        plt.close(figure)  # or a notebook would show it twice
    return found


def _figure_of(axes: Any) -> "Figure":
    """Of one plot, or of several beside each other."""
    figure: Figure = getattr(axes, "flat", [axes])[0].get_figure()
    return figure
