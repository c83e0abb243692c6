"""The learning curves of a study's trials on one grid, and where a curve is likely to end.

Every value is turned so that larger is better, and at each step a trial stands with its best value so far:
that is what it scores (rule 5 of the design).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from optuna.trial import FrozenTrial, TrialState

MIN_TO_EXTRAPOLATE = 4
"""Completed trials needed before a trial's final score is extrapolated."""


class Line:
    """Through the finished trials: where each stood at one step [n], and where it ended [n].

    Least squares with a slope from 0 to 1: whoever is ahead does not fall behind, nor run away. Where early
    values say nothing of late ones, it is flat.
    """

    def __init__(self, stood: np.ndarray, ended: np.ndarray) -> None:
        self._stood, self._ended = float(stood.mean()), float(ended.mean())
        off = stood - self._stood
        spread = float((off**2).sum())
        slope = float((off * (ended - self._ended)).sum()) / spread if spread > 0 else 0.0
        self._slope = min(1.0, max(0.0, slope))

    def end(self, stands: float) -> float:
        """Where a trial that `stands` there at that step is likely to end."""
        return self._ended + self._slope * (stands - self._stood)


class Curves:
    """The curves of a study. What has ended does not change, so it is read once.

    Args:
        grid: steps of a whole curve, 1 to `grid` (`study.config.report_step`).
        maximize: whether more of the objective is better.
    """

    def __init__(self, report_steps: int, *, maximize: bool) -> None:
        self.report_steps, self._sign = report_steps, 1.0 if maximize else -1.0
        self.direction: Literal["maximize", "minimize"] = "maximize" if maximize else "minimize"
        self._ended: dict[int, np.ndarray] = {}

    def best_so_far(self, trial: FrozenTrial) -> np.ndarray:
        """[grid]: the best value until each step, turned; NaN before the first and after the last one."""
        if trial.number in self._ended:
            return self._ended[trial.number]
        curve = np.full(self.report_steps, np.nan)
        for step, value in trial.intermediate_values.items():
            if math.isfinite(value):
                curve[step - 1] = self._sign * value
        last = last_step(trial)
        curve[:last] = np.fmax.accumulate(curve[:last])
        if trial.state.is_finished():
            self._ended[trial.number] = curve
        return curve

    def stands(self, trial: FrozenTrial) -> float:
        """The best value so far, turned; NaN where there is none."""
        last = last_step(trial)
        return float(self.best_so_far(trial)[last - 1]) if last else math.nan

    def value(self, turned: float) -> float:
        """A turned value as the objective has it."""
        return self._sign * turned

    def at(self, step: int, trials: Sequence[FrozenTrial]) -> tuple[list[FrozenTrial], np.ndarray]:
        """The trials that were measured at `step` or later, and where they stood there."""
        known = [each for each in trials if last_step(each) >= step]
        stood = np.array([self.best_so_far(each)[step - 1] for each in known])
        there = np.isfinite(stood)
        return [each for each, is_there in zip(known, there, strict=True) if is_there], stood[there]

    def line(self, step: int, trials: Sequence[FrozenTrial]) -> Line | None:
        """Of the finished among `trials` at `step`; None where they are fewer than MIN_TO_EXTRAPOLATE."""
        finished, stood = self.at(step, [each for each in trials if each.state == TrialState.COMPLETE])
        if len(finished) < MIN_TO_EXTRAPOLATE:
            return None
        return Line(stood, np.array([self.best_so_far(each)[-1] for each in finished]))

    def at_full_budget(self, trials: Sequence[FrozenTrial]) -> Mapping[int, float]:
        """By number, of every trial that was measured: its turned value at its end, or the likely one.

        A trial that has not ended is never expected above the best that has, nor below where it stands.
        """
        lines: dict[int, Line | None] = {}
        best = max(
            (self.stands(each) for each in trials if each.state == TrialState.COMPLETE), default=math.inf
        )
        ends = {}
        for trial in trials:
            stands, step = self.stands(trial), last_step(trial)
            if not math.isfinite(stands):
                continue
            if trial.state != TrialState.COMPLETE:
                if step not in lines:
                    lines[step] = self.line(step, trials)
                if (line := lines[step]) is not None:
                    stands = max(stands, min(line.end(stands), best))
            ends[trial.number] = stands
        return ends


def last_step(trial: FrozenTrial) -> int:
    """The step of the last measurement; 0 where there is none."""
    return max(trial.intermediate_values, default=0)
