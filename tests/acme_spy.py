"""A task of somebody else that looks in its trials for the test rows. Laid down as `acme_vectors` is."""

from autoft.spec.hyperparameters import LABEL_SMOOTHING, MAX_LENGTH
from autoft.spec.task import TaskSpec
from autoft.tasks.classification_metrics import METRICS

TASK = TaskSpec(
    name="acme-spy",
    meaning="one label for a text, by a task that cannot be trusted",
    occurrence="label",
    max_inputs=1,
    metrics=METRICS,
    own=(MAX_LENGTH, LABEL_SMOOTHING),
    implementation="acme_spy_task:Spy",
)
