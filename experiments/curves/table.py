"""The recorded curves of a set, and a surrogate that answers for any configuration of the space.

What a trial shows is the fitted mean of its own configuration and the residuals of one recorded run near it,
so peaks on the validation rows stay as high as they were. What is true is the fitted mean of the test score.
"""

import base64
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit, logit
from scipy.stats import spearmanr
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from curves.configurations import BATCH_SIZES, DEPTHS, DROPOUT, EPOCHS, LEARNING_RATE, WEIGHT_DECAY

FOLDER = Path(__file__).parent
MEASUREMENTS = 12
NEAR = 5
"""Recorded runs of which one lends its residuals."""

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """One recorded fine-tuning."""

    configuration: int
    seed: int
    values: Values
    validation: np.ndarray
    """[12] scores."""
    test: np.ndarray
    train_s: float | None
    """CPU seconds of all steps; None of a run on a GPU."""
    evaluate_s: float
    """Of all evaluations of the validation rows; 0 on a GPU."""

    @property
    def test_at_best(self) -> float:
        """The test score at the best validation score."""
        return float(self.test[int(np.argmax(self.validation))])


def read_runs(name: str) -> list[Run]:
    """The set's runs that came to their end."""
    runs = []
    for line in (FOLDER / f"{name}.jsonl").read_text().splitlines():
        row = json.loads(line)
        if len(row["validation"]) < MEASUREMENTS:
            continue
        on_cpu = row.get("device", "cpu") == "cpu"
        runs.append(
            Run(
                row["configuration"],
                row["seed"],
                row["values"],
                np.array(row["validation"]),
                np.array(row["test"]),
                float(sum(row["train_s"])) if on_cpu else None,
                float(sum(row["evaluate_s"])) if on_cpu else 0.0,
            )
        )
    return runs


def read_facts(name: str) -> dict[str, Any]:
    """The set in numbers: objective, rows, labels."""
    facts: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return facts


def unpacked(classes: str) -> np.ndarray:
    """Class indices as they are stored."""
    return np.frombuffer(base64.b64decode(classes), np.uint8)


def features(values: Values) -> np.ndarray:
    """[7] numbers, each over its range from 0 to 1; the last is the log of rate x epochs / batch size."""

    def log(value: float, ends: tuple[float, float]) -> float:
        return float(np.log(value / ends[0]) / np.log(ends[1] / ends[0]))

    batches = (min(BATCH_SIZES), max(BATCH_SIZES))
    dose = values["learning_rate"] * values["epochs"] / values["batch_size"]
    doses = (LEARNING_RATE[0] * EPOCHS[0] / batches[1], LEARNING_RATE[1] * EPOCHS[1] / batches[0])
    return np.array(
        [
            log(values["learning_rate"], LEARNING_RATE),
            DEPTHS.index(values["unfreeze_depth"]) / (len(DEPTHS) - 1),
            (values["dropout"] - DROPOUT[0]) / (DROPOUT[1] - DROPOUT[0]),
            log(values["weight_decay"], WEIGHT_DECAY),
            log(values["batch_size"], batches),
            log(values["epochs"], EPOCHS),
            log(dose, doses),
        ]
    )


def _log_odds(scores: np.ndarray) -> np.ndarray:
    """Where scores saturate, log odds do not; the ends are moved in a little."""
    return np.asarray(logit(np.clip(scores, 0.01, 0.995)))


class Surrogate:
    """Of one set, from some of its runs: Gaussian processes of the scores' log odds."""

    def __init__(self, name: str, runs: list[Run]) -> None:
        self.name, self.runs = name, runs
        self._x = np.stack([features(run.values) for run in runs])
        self._y = _log_odds(np.stack([np.r_[run.validation, run.test, run.test_at_best] for run in runs]))
        self._middle, self._spread = self._y.mean(axis=0), self._y.std(axis=0) + 1e-6
        kernel = ConstantKernel(1.0, (1e-2, 1e2)) * RBF(np.ones(7), (0.05, 20.0)) + WhiteKernel(
            0.05, (1e-3, 1.0)
        )
        self._gp = GaussianProcessRegressor(kernel, random_state=0, n_restarts_optimizer=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._gp.fit(self._x, (self._y - self._middle) / self._spread)
        self._residuals = self._y - self._mean(self._x)
        self._scale = self._gp.kernel_.k1.k2.length_scale
        self._cost = self._fit_cost()

    def _mean(self, x: np.ndarray) -> np.ndarray:
        return self._gp.predict(np.atleast_2d(x)) * self._spread + self._middle

    def show(self, values: Values, random: np.random.Generator) -> np.ndarray:
        """[12]: the validation scores that one run of the configuration shows."""
        x = features(values)
        distances = (((self._x - x) / self._scale) ** 2).sum(axis=1)
        near = np.argsort(distances)[:NEAR]
        weights = np.exp(-0.5 * (distances[near] - distances[near[0]]))
        chosen = random.choice(near, p=weights / weights.sum())
        return np.asarray(expit(self._mean(x)[0] + self._residuals[chosen])[:MEASUREMENTS])

    def truth(self, values: Values) -> float:
        """The expected test score of the whole trial, at its best validation score."""
        return float(expit(self._mean(features(values))[0, -1]))

    def truths(self, values: Values) -> np.ndarray:
        """[12]: the expected test score at each measurement, of a trial that has not come to its end."""
        return np.asarray(expit(self._mean(features(values))[0, MEASUREMENTS : 2 * MEASUREMENTS]))

    def _fit_cost(self) -> tuple[Ridge, dict[Any, float]]:
        timed = [run for run in self.runs if run.train_s is not None]
        x = np.stack([_cost_features(run.values) for run in timed])
        y = np.log([run.train_s / run.values["epochs"] for run in timed])
        evaluations: dict[Any, float] = {}
        for depth in DEPTHS:
            own = [run.evaluate_s for run in timed if run.values["unfreeze_depth"] == depth]
            evaluations[depth] = float(np.median(own)) if own else 0.0
        return Ridge(1e-2).fit(x, y), evaluations

    def seconds(self, values: Values) -> float:
        """CPU seconds of a whole trial, without noise."""
        model, evaluations = self._cost
        epoch = float(np.exp(model.predict([_cost_features(values)])[0]))
        return epoch * values["epochs"] + evaluations[values["unfreeze_depth"]]

    @cached_property
    def seed_noise(self) -> float:
        """Standard deviation of the test score at the best measurement, between seeds of a configuration."""
        groups: dict[int, list[float]] = {}
        for run in self.runs:
            groups.setdefault(run.configuration, []).append(run.test_at_best)
        variances = [np.var(group, ddof=1) for group in groups.values() if len(group) > 1]
        return float(np.sqrt(np.mean(variances))) if variances else float("nan")

    def left_out(self) -> dict[str, float]:
        """Error of the fitted mean on configurations that were left out, of the test score at the best."""
        groups = [run.configuration for run in self.runs]
        predicted = np.zeros(len(self.runs))
        target = (self._y[:, -1] - self._middle[-1]) / self._spread[-1]
        for inside, outside in GroupKFold(min(10, len(set(groups)))).split(self._x, groups=groups):
            model = GaussianProcessRegressor(self._gp.kernel_, optimizer=None).fit(
                self._x[inside], target[inside]
            )
            predicted[outside] = model.predict(self._x[outside])
        scores = np.array([run.test_at_best for run in self.runs])
        off = expit(predicted * self._spread[-1] + self._middle[-1]) - scores
        better = scores >= np.median(scores)
        return {
            "rmse": float(np.sqrt(np.mean(off**2))),
            "rmse_of_better_half": float(np.sqrt(np.mean(off[better] ** 2))),
            "spread": float(scores.std()),
            "spearman": float(spearmanr(predicted, target)[0]),
            "seed_noise": self.seed_noise,
        }


def _cost_features(values: Values) -> np.ndarray:
    depth = [float(values["unfreeze_depth"] == each) for each in DEPTHS]
    return np.array([*depth, np.log(values["batch_size"])])
