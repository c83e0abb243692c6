"""One label for a text, or for a pair of texts."""

from autoft.spec.hyperparameters import LABEL_SMOOTHING, MAX_LENGTH
from autoft.spec.task import TaskSpec
from autoft.tasks.classification_metrics import METRICS

TASK = TaskSpec(
    name="text-classification",
    meaning="one label for a text, or for a pair of texts",
    occurrence="label",
    max_inputs=2,
    metrics=METRICS,
    own=(MAX_LENGTH, LABEL_SMOOTHING),
    implementation="autoft.tasks.text_classification.task:TextClassification",
)
