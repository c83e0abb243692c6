"""Any number of labels for a text, or for a pair of texts."""

from autoft.spec.hyperparameters import MAX_LENGTH
from autoft.spec.metrics import Metric, by_name
from autoft.spec.task import TaskSpec

TASK = TaskSpec(
    name="multi-label",
    meaning="any number of labels for a text, or for a pair of texts",
    occurrence="label",
    max_inputs=2,
    target="texts",
    metrics=by_name(
        Metric("micro_f1", "maximize", "F1 over all rows and labels together"),
        Metric("macro_f1", "maximize", "mean of the labels' F1: rare labels count as much as common ones"),
        Metric("mean_average_precision", "maximize", "mean of the labels' average precision: no threshold"),
        Metric("exact_match", "maximize", "share of the rows with exactly the right labels"),
        Metric("log_loss", "minimize", "mean negative log probability of each label's presence or absence"),
    ),
    own=(MAX_LENGTH,),
    implementation="autoft.tasks.multi_label.task:MultiLabel",
)
