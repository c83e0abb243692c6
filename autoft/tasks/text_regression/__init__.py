"""A number for a text, or for a pair of texts."""

from autoft.spec.hyperparameters import MAX_LENGTH
from autoft.spec.metrics import Metric, by_name
from autoft.spec.task import TaskSpec

TASK = TaskSpec(
    name="text-regression",
    meaning="a number for a text, or for a pair of texts",
    occurrence="range",
    max_inputs=2,
    metrics=by_name(
        Metric("pearson", "maximize", "linear correlation of targets and predictions, 0 for guessing"),
        Metric("spearman", "maximize", "correlation of their ranks: whether the order is right"),
        Metric("rmse", "minimize", "root of the mean squared error, in the target's unit"),
        Metric("mae", "minimize", "mean absolute error, in the target's unit"),
    ),
    own=(MAX_LENGTH,),
    implementation="autoft.tasks.text_regression.task:TextRegression",
)
