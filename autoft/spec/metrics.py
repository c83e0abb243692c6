"""The metrics that can be the objective: names, directions, meanings. Computed in the kernel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """A number that says how good a model is on a split."""

    name: str
    direction: Literal["maximize", "minimize"]
    meaning: str


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "maximize", "share of the rows with the right label"),
        Metric("macro_f1", "maximize", "mean of the labels' F1: rare labels count as much as common ones"),
        Metric("micro_f1", "maximize", "F1 over all rows together; for one label a row this is the accuracy"),
        Metric("weighted_f1", "maximize", "mean of the labels' F1, weighted by how often each label occurs"),
        Metric("precision", "maximize", "mean over the labels: how often a prediction of the label is right"),
        Metric("recall", "maximize", "mean over the labels: how much of the label is found"),
        Metric("matthews_correlation", "maximize", "correlation of labels and predictions, 0 for guessing"),
        Metric("log_loss", "minimize", "mean negative log probability of the right label"),
    )
}
"""By name."""
