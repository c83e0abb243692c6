"""The metrics of tasks that give a row one label; `classification` computes them."""

from autoft.spec.metrics import Metric, by_name

METRICS = by_name(
    Metric("accuracy", "maximize", "share of the rows with the right label"),
    Metric("macro_f1", "maximize", "mean of the labels' F1: rare labels count as much as common ones"),
    Metric("micro_f1", "maximize", "F1 over all rows together; for one label a row this is the accuracy"),
    Metric("weighted_f1", "maximize", "mean of the labels' F1, weighted by how often each label occurs"),
    Metric("precision", "maximize", "mean over the labels: how often a prediction of the label is right"),
    Metric("recall", "maximize", "mean over the labels: how much of the label is found"),
    Metric("matthews_correlation", "maximize", "correlation of labels and predictions, 0 for guessing"),
    Metric("log_loss", "minimize", "mean negative log probability of the right label"),
)
"""By name."""
