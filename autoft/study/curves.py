"""The learning curves of a study's trials at common report steps, and where a curve is likely to end.

If the objective is minimized, values have their sign changed, so that larger is always better. At each step a
curve holds the best value so far, because a trial's score is its best measurement.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from optuna.trial import FrozenTrial, TrialState

MIN_TO_EXTRAPOLATE = 4
"""Completed trials needed before a trial's final score is extrapolated."""


class Line:
    """A line through the complete trials, from their values at one step [n] to their final values [n].

    Least squares with a slope from 0 to 1: a trial that is ahead neither falls behind nor increases its lead.
    If early values say nothing about late ones, the line is flat.
    """

    def __init__(self, early: np.ndarray, final: np.ndarray) -> None:
        self._early, self._final = float(early.mean()), float(final.mean())
        off = early - self._early
        spread = float((off**2).sum())
        slope = float((off * (final - self._final)).sum()) / spread if spread > 0 else 0.0
        self._slope = min(1.0, max(0.0, slope))

    def end(self, early: float) -> float:
        """The likely final value of a trial that has the value `early` at that step."""
        return self._final + self._slope * (early - self._early)


class Curves:
    """The curves of a study. Those of ended trials do not change, so they are read once.

    Args:
        report_steps: how many steps a whole curve has, counted from 1 (`trial_config.report_step`).
        maximize: whether more of the objective is better.
    """

    def __init__(self, report_steps: int, *, maximize: bool) -> None:
        self.report_steps, self._sign = report_steps, 1.0 if maximize else -1.0
        self.direction: Literal["maximize", "minimize"] = "maximize" if maximize else "minimize"
        self._ended: dict[int, np.ndarray] = {}

    def best_so_far(self, trial: FrozenTrial) -> np.ndarray:
        """The best value until each step, larger is better, [report_steps]; NaN where nothing was measured.

        That is before the first measurement, and after the last one unless the trial is complete: the final
        value of one that early stopping ended stands at all later steps.
        """
        if trial.number in self._ended:
            return self._ended[trial.number]
        curve = np.full(self.report_steps, np.nan)
        for step, value in trial.intermediate_values.items():
            if math.isfinite(value):
                curve[step - 1] = self._sign * value
        last = self._last_known(trial)
        curve[:last] = np.fmax.accumulate(curve[:last])
        if trial.state.is_finished():
            self._ended[trial.number] = curve
        return curve

    def _last_known(self, trial: FrozenTrial) -> int:
        """The last step at which the trial's value is known; 0 if there is none."""
        return self.report_steps if trial.state == TrialState.COMPLETE else last_step(trial)

    def current(self, trial: FrozenTrial) -> float:
        """The best value so far, larger is better; NaN if there is none."""
        last = last_step(trial)
        return float(self.best_so_far(trial)[last - 1]) if last else math.nan

    def value(self, curve_value: float) -> float:
        """The objective's value behind a value of a curve."""
        return self._sign * curve_value

    def at(self, step: int, trials: Sequence[FrozenTrial]) -> tuple[list[FrozenTrial], np.ndarray]:
        """The trials that are complete or were measured at `step` or later, and their best values by then."""
        known = [each for each in trials if self._last_known(each) >= step]
        values = np.array([self.best_so_far(each)[step - 1] for each in known])
        measured = np.isfinite(values)
        return [each for each, is_known in zip(known, measured, strict=True) if is_known], values[measured]

    def line(self, step: int, trials: Sequence[FrozenTrial]) -> Line | None:
        """The line through the complete among `trials`; None if they are fewer than MIN_TO_EXTRAPOLATE."""
        complete, early = self.at(step, [each for each in trials if each.state == TrialState.COMPLETE])
        if len(complete) < MIN_TO_EXTRAPOLATE:
            return None
        return Line(early, np.array([self.best_so_far(each)[-1] for each in complete]))

    def at_full_budget(self, trials: Sequence[FrozenTrial]) -> Mapping[int, float]:
        """The final value, or the likely one, of every trial that was measured, by number; larger is better.

        A trial that is not complete is never expected above the best complete one, nor below its best so far.
        """
        lines: dict[int, Line | None] = {}
        best = max(
            (self.current(each) for each in trials if each.state == TrialState.COMPLETE), default=math.inf
        )
        ends = {}
        for trial in trials:
            value, step = self.current(trial), last_step(trial)
            if not math.isfinite(value):
                continue
            if trial.state != TrialState.COMPLETE:
                if step not in lines:
                    lines[step] = self.line(step, trials)
                if (line := lines[step]) is not None:
                    value = max(value, min(line.end(value), best))
            ends[trial.number] = value
        return ends


def last_step(trial: FrozenTrial) -> int:
    """The step of the last measurement; 0 if there is none."""
    return max(trial.intermediate_values, default=0)
